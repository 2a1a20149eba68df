"""The agent against a proxy that behaves as told, over real gRPC on loopback."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

import grpc.aio
import pytest

from wukong.errors import AccessDenied, ClusterUnavailable
from wukong.rpc import server as rpc_server
from wukong.rpc.server import Context
from wukong.rpc.v1 import ring_pb2, ring_pb2_grpc
from wukong_kvs_node.agent import Agent

TOKEN = "t"
NODE = ring_pb2.KvsNode(id="n-1", address="10.0.0.1:6379", agent_address="10.0.0.1:50053")


class Proxy(ring_pb2_grpc.RingServicer):
    """Notes what it hears; refuses and forgets when told to."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.known = True
        self.busy = 0
        self.news = asyncio.Condition()

    async def _hear(self, what: str) -> None:
        async with self.news:
            self.heard.append(what)
            self.news.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with self.news:
            await asyncio.wait_for(self.news.wait_for(condition), 10)

    async def Register(self, request: ring_pb2.RegisterRequest, context: Context) -> ring_pb2.RegisterResponse:
        assert request.node == NODE
        await self._hear("register")
        if self.busy:
            self.busy -= 1
            raise ClusterUnavailable("the metadata store is away")
        self.known = True
        return ring_pb2.RegisterResponse(ring_version=1, heartbeat_seconds=0.01)

    async def Heartbeat(self, request: ring_pb2.HeartbeatRequest, context: Context) -> ring_pb2.HeartbeatResponse:
        assert request.node_id == "n-1"
        await self._hear("heartbeat")
        return ring_pb2.HeartbeatResponse(known=self.known, ring_version=1)

    async def GetRing(self, request: ring_pb2.GetRingRequest, context: Context) -> ring_pb2.RingVersion:
        raise AssertionError("a node does not ask for the ring")


@contextlib.asynccontextmanager
async def serving(proxy: Proxy, listen: str = "127.0.0.1:0") -> AsyncIterator[str]:
    def add(server: grpc.aio.Server) -> None:
        ring_pb2_grpc.add_RingServicer_to_server(proxy, server)

    server = await rpc_server.start(listen, add, TOKEN, ["wukong.rpc.v1.Ring"])
    try:
        yield server.address
    finally:
        await server.close()


@contextlib.asynccontextmanager
async def agent_of(address: str, token: str = TOKEN) -> AsyncIterator[Agent]:
    agent = Agent(address, token, NODE)
    try:
        yield agent
    finally:
        await agent.close()


@contextlib.asynccontextmanager
async def staying(agent: Agent) -> AsyncIterator[None]:
    task = asyncio.create_task(agent.stay())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def test_it_registers_once_and_then_beats() -> None:
    async def scene() -> list[str]:
        proxy = Proxy()
        async with serving(proxy) as address, agent_of(address) as agent:
            await agent.join()
            async with staying(agent):
                await proxy.until(lambda: len(proxy.heard) >= 4)
        return proxy.heard[:4]

    assert asyncio.run(scene()) == ["register", "heartbeat", "heartbeat", "heartbeat"]


def test_it_waits_for_a_proxy_that_is_not_up_yet() -> None:
    async def scene() -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        async with agent_of(address) as agent:
            joining = asyncio.create_task(agent.join())
            done, _ = await asyncio.wait([joining], timeout=0.2)
            assert not done
            async with serving(Proxy(), address):
                await asyncio.wait_for(joining, 10)

    asyncio.run(scene())


def test_it_registers_until_the_proxy_can_keep_the_ring() -> None:
    async def scene() -> list[str]:
        proxy = Proxy()
        proxy.busy = 2
        async with serving(proxy) as address, agent_of(address) as agent:
            await agent.join()
        return proxy.heard

    assert asyncio.run(scene()) == ["register"] * 3


def test_a_wrong_token_ends_the_attempt() -> None:
    async def scene() -> None:
        async with serving(Proxy()) as address, agent_of(address, "wrong") as agent:
            await agent.join()

    with pytest.raises(AccessDenied):
        asyncio.run(scene())


def test_it_registers_again_with_a_proxy_that_forgot_it() -> None:
    async def scene() -> None:
        proxy = Proxy()
        async with serving(proxy) as address, agent_of(address) as agent:
            await agent.join()
            async with staying(agent):
                proxy.known = False
                await proxy.until(lambda: proxy.heard.count("register") == 2)
                beats = proxy.heard.count("heartbeat")
                await proxy.until(lambda: proxy.heard.count("heartbeat") > beats)

    asyncio.run(scene())


def test_it_survives_a_restart_of_the_proxy() -> None:
    async def scene() -> None:
        async with contextlib.AsyncExitStack() as stack:
            async with serving(Proxy()) as address:
                agent = await stack.enter_async_context(agent_of(address))
                await agent.join()
                await stack.enter_async_context(staying(agent))
            restarted = Proxy()
            restarted.known = False
            await stack.enter_async_context(serving(restarted, address))
            await restarted.until(lambda: "register" in restarted.heard)

    asyncio.run(scene())
