"""A gRPC server of Wukong in a thread with its own event loop, so that tests can call it synchronously."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import grpc.aio

from wukong.rpc import server as rpc_server


@contextmanager
def served(
    add: Callable[[grpc.aio.Server], None], token: str, services: Sequence[str], **options: Any
) -> Iterator[str]:
    """The address of a server that runs meanwhile.

    Args:
        add: Adds its servicers.
        token: The one that it demands.
        services: The full names of its services.
        options: Further ones of `wukong.rpc.server.start`.
    """
    started: Future[str] = Future()
    loop, end = asyncio.new_event_loop(), asyncio.Event()

    async def live() -> None:
        server = await rpc_server.start("127.0.0.1:0", add, token, services, **options)
        started.set_result(server.address)
        await end.wait()
        await server.close()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(live())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield started.result(timeout=10)
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(timeout=10)
        assert not thread.is_alive()
