"""The queues of an emulator: made by their users, filled by functions' destinations, and received from."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from wukong_lambda_emulator import function_name
from wukong_lambda_emulator.sqs_queue import LARGEST_MESSAGE, Message, Queue


class Undeliverable(Exception):
    """A message cannot be sent to a destination; says why."""


class Queues:
    """All queues, in memory, by their names."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._queues: dict[str, Queue] = {}
        self._changed: dict[str, asyncio.Event] = {}
        self._closed = False

    def __getitem__(self, name: str) -> Queue:
        return self._queues[name]

    def __contains__(self, name: object) -> bool:
        return name in self._queues

    def add(self, queue: Queue) -> None:
        """Take in a queue under a new name."""
        self._queues[queue.name] = queue
        self._changed[queue.name] = asyncio.Event()

    def arn(self, name: str) -> str:
        """The ARN of a queue."""
        return f"arn:aws:sqs:{self._region}:{function_name.ACCOUNT}:{name}"

    def at(self, arn: str) -> Queue:
        """The queue with this ARN.

        Raises:
            Undeliverable: There is none.
        """
        queue = self._queues.get(arn.rpartition(":")[2])
        if queue is None or self.arn(queue.name) != arn:
            raise Undeliverable(f"there is no queue {arn} in the emulator; CreateQueue makes one")
        return queue

    def send(self, arn: str, body: str) -> None:
        """Put a message into the queue with this ARN.

        Raises:
            Undeliverable: There is no such queue, or the message is too large for it.
        """
        queue = self.at(arn)
        if (size := len(body.encode())) > LARGEST_MESSAGE:
            raise Undeliverable(f"a message of {size:,} bytes is above a queue's limit of {LARGEST_MESSAGE:,} bytes")
        queue.send(body, time.time())
        self._changed[queue.name].set()

    async def receive(
        self, queue: Queue, most: int, visibility_timeout: float, seconds: float, gone: Callable[[], bool]
    ) -> list[Message]:
        """Up to `most` messages, as soon as there is one; none after `seconds` of waiting, or when `gone()`."""
        changed = self._changed[queue.name]
        deadline = time.time() + seconds
        while True:
            changed.clear()
            now = time.time()
            messages = [] if gone() else queue.receive(most, visibility_timeout, now)
            if messages or now >= deadline or self._closed or gone():
                return messages
            until = min(deadline, queue.wake if queue.wake is not None else deadline)
            try:
                await asyncio.wait_for(changed.wait(), max(until - now, 0.0))
            except TimeoutError:
                continue

    def close(self) -> None:
        """Send everybody who waits away."""
        self._closed = True
        for changed in self._changed.values():
            changed.set()
