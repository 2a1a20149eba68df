"""The stores themselves, for clients that can reach them: faster than through the proxy."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

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
    if not all(_answers(address, password) for address, password in addresses(direct)):
        return None
    ring = Ring(direct.ring.version, tuple(Node(node.id, node.address) for node in direct.ring.nodes))
    kvs = direct.kvs
    access = Access(kvs.password, kvs.namespace, Striping(kvs.stripe_bytes, kvs.stripes))
    signer = Signer(direct.signing_key)

    def on(ring: Ring) -> Values:
        return Values(access.store(ring), signer)

    mds = RedisMds(direct.mds_address, password=direct.store_password, patience=_PATIENCE)
    return Stores(mds, on(ring), ring.version, on)


def addresses(direct: cluster_pb2.Direct) -> list[tuple[str, str]]:
    """Address and password of the metadata store, and of each node of the key-value store."""
    nodes = [(node.address, direct.kvs.password) for node in direct.ring.nodes]
    return [(direct.mds_address, direct.store_password), *nodes]


def _answers(address: str, password: str) -> bool:
    with contextlib.closing(connection.Connection(address, password=password, timeout=_TRIAL_SECONDS)) as trial:
        try:
            trial.call("PING")
        except WukongError:
            return False
    return True
