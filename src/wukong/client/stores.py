"""The stores themselves, for clients that can reach them: faster than through the proxy."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from wukong.errors import WukongError
from wukong.kvs.redis import RedisKvs
from wukong.kvs.ring import Node, Ring
from wukong.mds.redis import RedisMds
from wukong.redis import connection
from wukong.rpc.v1 import cluster_pb2
from wukong.values.signing import Signer
from wukong.values.values import Values

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
    addresses = [direct.mds_address, *(node.address for node in direct.ring.nodes)]
    if not all(_answers(address, direct.store_password) for address in addresses):
        return None
    ring = Ring(direct.ring.version, tuple(Node(node.id, node.address) for node in direct.ring.nodes))
    return Stores(
        RedisMds(direct.mds_address, password=direct.store_password),
        Values(RedisKvs(ring, password=direct.store_password), Signer(direct.signing_key)),
    )


def _answers(address: str, password: str) -> bool:
    with contextlib.closing(connection.Connection(address, password=password, timeout=_TRIAL_SECONDS)) as trial:
        try:
            trial.call("PING")
        except WukongError:
            return False
    return True
