"""A whole node in one container: a Valkey server, and the agent beside it as soon as that answers.

The container's host name is the node's name and address, unless the settings say otherwise. When the server ends, so
does the container: a node without its server is of no use, and whoever runs containers starts it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Mapping

from wukong import settings
from wukong.errors import ClusterUnavailable
from wukong.rpc.service import Service, run
from wukong_kvs_node import place, store
from wukong_kvs_node.server import serve

#: Seconds between looks at a server that starts.
_LOOK = 0.05
#: Seconds that the server may take to end when told to.
_FAREWELL = 2.0

_log = logging.getLogger(__name__)


class ContainedNode:
    """A server and its agent. It is a `wukong.rpc.service.Service`."""

    def __init__(self, server: asyncio.subprocess.Process, agent: Service) -> None:
        self._server = server
        self._agent = agent
        self._watching = asyncio.create_task(self._watch())

    @property
    def address(self) -> str:
        """host:port of the agent."""
        return self._agent.address

    async def _watch(self) -> None:
        code = await self._server.wait()
        _log.error("the node's server ended with code %d, and the node with it", code)
        os._exit(1)

    async def close(self) -> None:
        """End the agent, then the server."""
        self._watching.cancel()
        await self._agent.close()
        await _end(self._server)


async def serve_both(environ: Mapping[str, str]) -> ContainedNode:
    """Start the server and its agent; returns when the node is in the ring.

    Raises:
        ClusterUnavailable: The server ended, or the agent's address cannot be listened on.
        AccessDenied: The proxy has another token.
    """
    server = await asyncio.create_subprocess_exec(sys.executable, "-m", "wukong_kvs_node.store")
    try:
        while not await asyncio.to_thread(store.answers, environ):
            if server.returncode is not None:
                raise ClusterUnavailable(f"the node's server ended with code {server.returncode}; its words are above")
            await asyncio.sleep(_LOOK)
        # The server knows already how much it may hold, and its agent may not tell it.
        told = {name: value for name, value in environ.items() if name != settings.NODE_MEMORY_MB.name}
        return ContainedNode(server, await serve({**place.settled(), **told}))
    except BaseException:
        await _end(server)
        raise


async def _end(server: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        server.terminate()
    try:
        await asyncio.wait_for(server.wait(), _FAREWELL)
    except TimeoutError:
        server.kill()
        await server.wait()


if __name__ == "__main__":
    run(serve_both, "wukong_kvs_node")
