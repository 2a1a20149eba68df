"""The stores of a cluster as its tests look into them: what jobs have there, and what is left of them."""

from __future__ import annotations

import time
from collections.abc import Sequence

import psutil

from wukong import LocalCluster
from wukong.client.connection import Connection as ControlConnection
from wukong.mds import keys
from wukong.redis import Connection

#: Seconds in which a store that was killed is there again, on a busy machine.
PATIENCE = 30.0


class Stores:
    """Connections to the metadata store and the nodes of the key-value store."""

    def __init__(self, cluster: LocalCluster) -> None:
        control = ControlConnection(cluster.address, cluster.token, PATIENCE)
        direct = control.cluster.direct
        control.close()
        addresses = [direct.mds_address, *(node.address for node in direct.ring.nodes)]
        self._cluster = cluster
        user, password = cluster.administrator
        self._mds, *self._nodes = (
            Connection(address, user=user, password=password, patience=PATIENCE) for address in addresses
        )

    def state(self, job: str) -> str:
        """The job's state."""
        return (self._mds.call("HGET", keys.meta(job), "state") or b"").decode()

    def ended(self, job: str) -> float:
        """Unix seconds at which the job ended."""
        return int(self._mds.call("HGET", keys.meta(job), "ended")) / 1000

    def holding(self, job: str) -> list[int]:
        """The nodes that hold values of a job."""
        return [number for number, node in enumerate(self._nodes) if node.call("KEYS", f"*{job}:v:*")]

    def servers(self) -> list[psutil.Process]:
        """The servers' processes: the metadata store's, then those of the nodes."""
        return [psutil.Process(pid) for role, pid in self._cluster.processes() if role == "store"]

    def left(self) -> list[str]:
        """What is there beside the ring and tombstones that expire by themselves."""
        return [text for store in (self._mds, *self._nodes) for text in _left(store)]

    def settle(self) -> None:
        """Wait until nothing is left; no job may run.

        Raises:
            AssertionError: Something stays.
        """
        deadline = time.monotonic() + 15
        while left := self.left():
            assert time.monotonic() < deadline, f"left behind: {left}"
            time.sleep(0.02)

    def close(self) -> None:
        """End the connections."""
        for store in (self._mds, *self._nodes):
            store.close()


def _left(store: Connection) -> Sequence[str]:
    found = []
    for name in store.call("KEYS", "*"):
        if name.startswith(b"w:ring"):
            continue
        tombstone = name.endswith(b":m") and store.call("HGET", name, "state") == b"gone"
        if not (tombstone and 0 < store.call("TTL", name) <= 24 * 3600):
            found.append(name.decode())
    return found
