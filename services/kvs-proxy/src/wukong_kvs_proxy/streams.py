"""How many values are on their way through the proxy at once: what bounds its memory.

A value on its way takes a stripe. Whoever comes when all turns are taken waits, and gRPC's flow control keeps its bytes
with the sender. A sender that falls silent gives its turn up, or a few of them would keep everybody else out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

from wukong.errors import ClusterUnavailable

#: Values on their way at once, of one kind: 8 stripes are 128 MiB.
AT_ONCE = 8

#: Seconds of silence after which a sender is given up.
SILENCE = 60.0

T = TypeVar("T")


class Streams:
    """Turns for values of one kind, in order."""

    def __init__(self, at_once: int = AT_ONCE, silence: float = SILENCE) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._silence = silence

    async def take(self, messages: AsyncIterator[T]) -> AsyncGenerator[T]:
        """The messages of a sender, as soon as it has its turn, which lasts until the generator is closed.

        Raises:
            ClusterUnavailable: The sender fell silent.
        """
        async with self._turns:
            while True:
                try:
                    async with asyncio.timeout(self._silence):
                        message = await anext(messages)
                except StopAsyncIteration:
                    return
                except TimeoutError as error:
                    raise ClusterUnavailable(
                        f"nothing came for {self._silence:g} s in the middle of a value; send it again"
                    ) from error
                yield message
