"""Keeps a node in the ring: carries out against the proxy what `attendance` decides."""

from __future__ import annotations

import asyncio
import logging

import grpc.aio

from wukong.errors import WukongError
from wukong.rpc.channel import async_channel
from wukong.rpc.handshake import closed, trouble
from wukong.rpc.status import wukong_errors
from wukong.rpc.tls import CallerTls
from wukong.rpc.v1 import ring_pb2, ring_pb2_grpc
from wukong_kvs_node.attendance import START, Action, Attendance, Step

_log = logging.getLogger(__name__)

CALL_SECONDS = 5.0
"""How long the proxy may take to answer."""


class Agent:
    """A node's side of the ring.

    Args:
        proxy: host:port of the proxy.
        token: The cluster's token.
        node: What to register.
        tls: Whom to trust; None to speak without TLS.
    """

    def __init__(self, proxy: str, token: str, node: ring_pb2.KvsNode, tls: CallerTls | None = None) -> None:
        self._proxy = proxy
        self._node = node
        self._tls = tls
        self._channel: grpc.aio.Channel = async_channel(proxy, token, tls)
        self._ring = ring_pb2_grpc.RingStub(self._channel)
        self._attendance = Attendance()
        self._step = START

    async def join(self) -> None:
        """Registers; returns when the node is in the ring, however long the proxy takes to come up.

        Raises:
            WukongError: The proxy refuses in a way that waiting does not mend, such as a wrong token.
        """
        while self._step.action is Action.REGISTER:
            self._step = await self._do(self._step, patient=False)

    async def stay(self) -> None:
        """Sends heartbeats, and registers again when told to, until it is cancelled."""
        while True:
            self._step = await self._do(self._step, patient=True)

    async def close(self) -> None:
        """Hangs up. The proxy gives the node up when it misses its heartbeats."""
        await self._channel.close()

    async def _do(self, step: Step, *, patient: bool) -> Step:
        await asyncio.sleep(step.pause)
        try:
            with wukong_errors(self._proxy):
                if step.action is Action.REGISTER:
                    return await self._register()
                return await self._beat()
        except WukongError as error:
            if not (error.retryable or patient):
                raise
            looked = not patient and closed(str(error))
            if looked and (failed := await asyncio.to_thread(trouble, self._proxy, self._tls)):
                raise failed from error
            _log.warning("%s failed, trying again: %s", step.action.value, error)
        if step.action is Action.REGISTER:
            return self._attendance.not_registered()
        return self._attendance.not_beaten()

    async def _register(self) -> Step:
        request = ring_pb2.RegisterRequest(node=self._node)
        answer = await self._ring.Register(request, timeout=CALL_SECONDS)
        _log.info("node %s is in ring %d", self._node.id, answer.ring_version)
        return self._attendance.registered(answer.heartbeat_seconds)

    async def _beat(self) -> Step:
        request = ring_pb2.HeartbeatRequest(node_id=self._node.id)
        answer = await self._ring.Heartbeat(request, timeout=CALL_SECONDS)
        return self._attendance.beaten(answer.known)
