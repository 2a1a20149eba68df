"""The Ring service: carries out what the membership decides.

One lock orders all events, and a new ring is in the metadata store before anybody is told of it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from wukong.errors import ClusterUnavailable, WukongError
from wukong.kvs.ring import Node, Ring
from wukong.mds.store import Mds
from wukong.rpc.server import Context
from wukong.rpc.v1 import ring_pb2, ring_pb2_grpc
from wukong_kvs_proxy.membership import HEARTBEAT_SECONDS, LOOK_SECONDS, Membership

_log = logging.getLogger(__name__)


class RingAuthority(ring_pb2_grpc.RingServicer):
    """Serves the ring, and gives silent nodes up.

    Args:
        mds: Where rings are kept.
        membership: The membership to go on from.
        clock: Monotonic seconds.
    """

    def __init__(self, mds: Mds, membership: Membership, clock: Callable[[], float] = time.monotonic) -> None:
        self._mds = mds
        self._membership = membership
        self._clock = clock
        self._order = asyncio.Lock()

    @property
    def ring(self) -> Ring:
        """The newest ring.

        Raises:
            ClusterUnavailable: No node has registered yet.
        """
        if self._membership.ring is None:
            raise ClusterUnavailable("no node of the key-value store has registered with the proxy yet")
        return self._membership.ring

    async def watch(self) -> None:
        """Looks for silent nodes until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except WukongError as error:
                _log.warning("the ring cannot be kept, trying again: %s", error)

    async def look(self) -> None:
        """Gives up the nodes that were silent for too long."""
        async with self._order:
            await self._take(self._membership.look(self._clock()))

    async def _take(self, changed: Membership) -> None:
        before = self._membership
        ring = changed.ring
        if ring is not None and ring != before.ring:
            await asyncio.to_thread(self._mds.put_ring, ring)
            _log.info("ring %d: %s", ring.version, ", ".join(node.id for node in ring.nodes))
        self._membership = changed

    async def Register(  # noqa: N802
        self, request: ring_pb2.RegisterRequest, context: Context
    ) -> ring_pb2.RegisterResponse:
        """Adds a node, or takes its new addresses."""
        node = request.node
        if not (node.id and node.address and node.agent_address):
            raise WukongError("a node registers with its id, its address and its agent's address; one is missing")
        async with self._order:
            await self._take(self._membership.register(Node(node.id, node.address), node.agent_address, self._clock()))
            return ring_pb2.RegisterResponse(ring_version=self.ring.version, heartbeat_seconds=HEARTBEAT_SECONDS)

    async def Heartbeat(  # noqa: N802
        self, request: ring_pb2.HeartbeatRequest, context: Context
    ) -> ring_pb2.HeartbeatResponse:
        """Takes note that a node lives."""
        async with self._order:
            self._membership = self._membership.heartbeat(request.node_id, self._clock())
            ring = self._membership.ring
            return ring_pb2.HeartbeatResponse(
                known=self._membership.knows(request.node_id), ring_version=ring.version if ring else 0
            )

    async def GetRing(  # noqa: N802
        self, request: ring_pb2.GetRingRequest, context: Context
    ) -> ring_pb2.RingVersion:
        """One version of the ring, with the agents that are known."""
        ring: Ring | None = self.ring
        if request.version not in (0, self.ring.version):
            ring = await asyncio.to_thread(self._mds.ring, request.version)
        if ring is None:
            raise ClusterUnavailable(
                f"ring {request.version} is not in the metadata store; the newest one is {self.ring.version}"
            )
        return ring_pb2.RingVersion(
            version=ring.version,
            nodes=[
                ring_pb2.KvsNode(id=node.id, address=node.address, agent_address=self._membership.agent(node.id))
                for node in ring.nodes
            ],
        )
