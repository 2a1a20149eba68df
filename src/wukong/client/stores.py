"""The stores themselves, for clients that can reach them: faster than through the proxy."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import NamedTuple

from wukong.errors import WukongError
from wukong.kvs.access import Access
from wukong.kvs.ring import Node, Ring
from wukong.kvs.striping import Striping
from wukong.mds.redis import RedisMds
from wukong.redis import connection
from wukong.rpc.v1 import cluster_pb2
from wukong.values.signing import Signer
from wukong.values.values import Values

#: Seconds for which a call goes on while the metadata store is away.
_PATIENCE = 10.0

#: Seconds to try whether a store can be reached. A firewall says nothing at all.
_TRIAL_SECONDS = 2.0


class Stores:
    """The metadata store and the values in the key-value store, as a client uses them. Threads may share them.

    Args:
        mds: The metadata store.
        values: The values.
        version: Of the ring that they are on.
        on: Gives the values on another ring.

    Attributes:
        mds: As given.
        values: The values, on the newest ring that is known here.
    """

    def __init__(self, mds: RedisMds, values: Values, version: int, on: Callable[[Ring], Values]) -> None:
        self.mds = mds
        self.values = values
        self._version = version
        self._on = on
        self._lock = threading.Lock()

    def follow(self) -> bool:
        """Go by the newest ring from now on, if nodes came or went; returns whether they did.

        Raises:
            ClusterUnavailable: The metadata store cannot be reached.
        """
        ring = self.mds.newest_ring()
        with self._lock:
            if ring is None or ring.version <= self._version:
                return False
            former, self.values, self._version = self.values, self._on(ring), ring.version
        former.kvs.close()
        return True

    def close(self) -> None:
        """Close the connections."""
        self.mds.close_connections()
        self.values.kvs.close()


def reach(cluster: cluster_pb2.Cluster) -> Stores | None:
    """The stores, if the cluster tells where they are and each answers."""
    if not cluster.HasField("direct"):
        return None
    direct = cluster.direct
    if not all(map(_answers, addresses(direct))):
        return None
    ring = Ring(direct.ring.version, tuple(Node(node.id, node.address) for node in direct.ring.nodes))
    kvs = direct.kvs
    access = Access(kvs.password, kvs.namespace, Striping(kvs.stripe_bytes, kvs.stripes), kvs.user)
    signer = Signer(direct.signing_key)

    def on(ring: Ring) -> Values:
        return Values(access.store(ring), signer)

    mds = RedisMds(direct.mds_address, password=direct.store_password, patience=_PATIENCE, user=direct.store_user)
    return Stores(mds, on(ring), ring.version, on)


class Door(NamedTuple):
    """A store, and how a client gets in.

    Attributes:
        address: host:port.
        user: Who it comes as; empty for the default user.
        password: Of that user.
    """

    address: str
    user: str
    password: str

    def connection(self, timeout: float) -> connection.Connection:
        """A connection whose calls may take `timeout` seconds."""
        return connection.Connection(self.address, user=self.user, password=self.password, timeout=timeout)


def addresses(direct: cluster_pb2.Direct) -> list[Door]:
    """The metadata store, and each node of the key-value store."""
    nodes = [Door(node.address, direct.kvs.user, direct.kvs.password) for node in direct.ring.nodes]
    return [Door(direct.mds_address, direct.store_user, direct.store_password), *nodes]


def _answers(door: Door) -> bool:
    with contextlib.closing(door.connection(_TRIAL_SECONDS)) as trial:
        try:
            trial.call("PING")
        except WukongError:
            return False
    return True
