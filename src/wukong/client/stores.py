"""The stores themselves, for clients that can reach them: faster than through the proxy."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Stores:
    """The metadata store and the values in the key-value store, as a client uses them."""

    mds: RedisMds
    values: Values

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
    return Stores(
        RedisMds(direct.mds_address, password=direct.store_password, patience=_PATIENCE),
        Values(access.store(ring), Signer(direct.signing_key)),
    )


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
