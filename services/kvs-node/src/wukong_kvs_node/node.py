"""The Node service: what the agent does with the Redis beside it."""

from __future__ import annotations

import asyncio
from typing import cast

from wukong.kvs.access import Access
from wukong.kvs.ring import Node, Ring
from wukong.redis.pool import Pool
from wukong.rpc.server import Context
from wukong.rpc.v1 import node_pb2, node_pb2_grpc
from wukong_kvs_node.stats import node_stats


class NodeService(node_pb2_grpc.NodeServicer):
    """Answers for one Redis.

    Args:
        node_id: The node's name.
        redis_address: host:port of the Redis.
        access: To it.
    """

    def __init__(self, node_id: str, redis_address: str, access: Access) -> None:
        self._id = node_id
        self._pool = Pool(redis_address, password=access.password, user=access.user, authority=access.authority)
        # A ring of this node alone: a purge of it asks no other one.
        self._kvs = access.store(Ring(0, (Node(node_id, redis_address),)))

    def limit(self, memory_mb: int) -> None:
        """Lets the Redis hold so many MB at most, and refuse what is beyond. Blocks.

        Raises:
            ClusterUnavailable: It does not answer.
        """
        with self._pool.connection() as redis:
            redis.pipeline(
                [["CONFIG", "SET", "maxmemory-policy", "noeviction"], ["CONFIG", "SET", "maxmemory", memory_mb << 20]]
            )

    async def Stats(self, request: node_pb2.StatsRequest, context: Context) -> node_pb2.NodeStats:  # noqa: N802
        """How full the node is."""
        return await asyncio.to_thread(self._stats)

    async def PurgeJob(  # noqa: N802
        self, request: node_pb2.PurgeJobRequest, context: Context
    ) -> node_pb2.PurgeJobResponse:
        """Removes every key that an owner has here."""
        return node_pb2.PurgeJobResponse(keys=await asyncio.to_thread(self._kvs.purge, request.owner))

    def _stats(self) -> node_pb2.NodeStats:
        with self._pool.connection() as redis:
            info, keys = redis.pipeline([["INFO"], ["DBSIZE"]])
        return node_stats(self._id, cast(bytes, info).decode(), cast(int, keys))

    def close(self) -> None:
        """Closes the connections to the Redis."""
        self._pool.close()
        self._kvs.close()
