"""Starts the agent of a node."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

import grpc.aio

from wukong import settings
from wukong.kvs.access import Access
from wukong.rpc import server as rpc_server
from wukong.rpc.rates import Rates
from wukong.rpc.tls import CallerTls, ServerTls
from wukong.rpc.v1 import node_pb2_grpc, ring_pb2
from wukong_kvs_node.agent import Agent
from wukong_kvs_node.node import NodeService


class KvsNode:
    """A started agent. It is a `wukong.rpc.service.Service`."""

    def __init__(self, server: rpc_server.Server, service: NodeService, agent: Agent) -> None:
        self._server = server
        self._service = service
        self._agent = agent
        self._staying = asyncio.create_task(agent.stay())

    @property
    def address(self) -> str:
        """host:port of the Node service."""
        return self._server.address

    async def close(self) -> None:
        """Stops the heartbeats and the server."""
        self._staying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._staying
        await _close(self._server, self._service, self._agent)


async def serve(environ: Mapping[str, str]) -> KvsNode:
    """Starts the Node service and joins the ring; returns when the node is in it.

    It waits for a proxy that is not up yet.

    Raises:
        ClusterUnavailable: The address cannot be listened on, or the Redis does not answer.
        AccessDenied: The proxy has another token, or cannot be trusted.
    """
    node_id = settings.NODE_ID.get(environ)
    rates = settings.RATES.parsed(Rates.parse, environ)
    redis_address = settings.NODE_REDIS_ADDRESS.get(environ)
    token, shown, trusted = settings.TOKEN.get(environ), ServerTls.read(environ), CallerTls.read(environ)
    service = NodeService(node_id, redis_address, Access.read(environ))

    def add_servicers(server: grpc.aio.Server) -> None:
        node_pb2_grpc.add_NodeServicer_to_server(service, server)

    listen = settings.LISTEN.get(environ)
    server = await rpc_server.start(
        listen, add_servicers, token, ["wukong.rpc.v1.Node"], tls=shown, rates=rates, serving=False
    )
    node = ring_pb2.KvsNode(id=node_id, address=redis_address, agent_address=server.address)
    agent = Agent(settings.PROXY_ADDRESS.get(environ), token, node, trusted)
    memory_mb = settings.NODE_MEMORY_MB.get(environ)
    try:
        if memory_mb:
            await asyncio.to_thread(service.limit, int(memory_mb))
        await agent.join()
        await server.serving()
    except BaseException:
        await _close(server, service, agent)
        raise
    return KvsNode(server, service, agent)


async def _close(server: rpc_server.Server, service: NodeService, agent: Agent) -> None:
    await agent.close()
    await server.close()
    await asyncio.to_thread(service.close)
