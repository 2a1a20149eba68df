"""Gives jobs and users the KVS nodes that they ask for, or says why this cluster cannot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from wukong.errors import InvalidGraph, LimitExceeded, WukongError
from wukong.rpc.v1 import job_pb2
from wukong_scheduler.rings import Rings
from wukong_scheduler.scaler import Scaler, Standing


class Providing:
    """Answers for the nodes.

    Args:
        scaler: Starts and ends them; None where somebody else does.
        rings: Which there are.
    """

    def __init__(self, scaler: Scaler | None, rings: Rings) -> None:
        self._scaler = scaler
        self._rings = rings

    async def provide(self, options: job_pb2.JobOptions) -> None:
        """Wait until a job can begin, as far as its nodes go.

        Raises:
            InvalidGraph: It asks for none.
            LimitExceeded: It asks for more than there can be.
            ClusterUnavailable: They did not come in time.
        """
        if options.HasField("kvs_nodes") and not options.kvs_nodes:
            raise InvalidGraph("kvs_nodes is 0; a job needs at least one node of the key-value store")
        if self._scaler is not None:
            async for _ in self._scaler.provide(options.kvs_nodes):
                pass
        elif options.kvs_nodes:
            ring = await asyncio.to_thread(self._rings.newest)
            there = len(ring.nodes) if ring is not None else 0
            if options.kvs_nodes > there:
                raise LimitExceeded(
                    "kvs_nodes",
                    options.kvs_nodes,
                    there,
                    "The scheduler of this cluster does not start nodes: ask for fewer, or start more of them yourself "
                    "(LocalCluster(kvs_nodes=...), `docker compose up --scale kvs-node=...`).",
                )

    async def scale(self, nodes: int, at_least: bool) -> AsyncIterator[Standing]:
        """Have so many nodes, or at least so many, and tell how many there are until all are.

        Raises:
            LimitExceeded: They are too many.
            ClusterUnavailable: They did not come in time.
            WukongError: The scheduler of this cluster starts none, or they are in use and cannot be fewer.
        """
        if self._scaler is None:
            raise WukongError(
                "the scheduler of this cluster does not start KVS nodes (WUKONG_KVS_SERVICE is not set). Give "
                "LocalCluster(kvs_nodes=...), or in containers `docker compose up --scale kvs-node=...`"
            )
        async for standing in self._scaler.provide(nodes) if at_least else self._scaler.order(nodes):
            yield standing
