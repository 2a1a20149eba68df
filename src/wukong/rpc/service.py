"""What runs: the shape that every component of the cluster has once it is started."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from wukong import settings
from wukong.errors import WukongError


class Service(Protocol):
    """A started component, inside a running event loop."""

    @property
    def address(self) -> str:
        """host:port that it accepts connections on."""

    async def close(self) -> None:
        """Stops accepting, lets calls end for a moment, and frees everything."""


def run(serve: Callable[[Mapping[str, str]], Awaitable[Service]], name: str) -> None:
    """Runs one component as a process, until SIGTERM or SIGINT. For `__main__.py`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        for package in ("wukong", name):
            settings.LOG_LEVEL.parsed(logging.getLogger(package).setLevel)
        asyncio.run(_until_told(serve, name))
    except WukongError as error:
        sys.exit(f"{name}: {error}")


async def _until_told(serve: Callable[[Mapping[str, str]], Awaitable[Service]], name: str) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    starting, telling = asyncio.ensure_future(serve(os.environ)), asyncio.create_task(told.wait())
    try:
        # A component may wait for another one, and must end then too.
        await asyncio.wait((starting, telling), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            return
        service = starting.result()
        logging.getLogger(name).info("listening on %s", service.address)
        try:
            await telling
        finally:
            await service.close()
    finally:
        for task in (starting, telling):
            task.cancel()
        await asyncio.gather(starting, telling, return_exceptions=True)
