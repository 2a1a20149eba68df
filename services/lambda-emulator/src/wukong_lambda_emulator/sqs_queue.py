"""One queue as Amazon SQS has it: what was sent, who received it, and when it may be received again.

Pure: time, in seconds since 1970, comes from the caller. A received message is not visible to others until its
visibility timeout is over; whoever received it deletes it by the receipt handle of that time.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

#: A message may not be larger, in bytes.
LARGEST_MESSAGE = 2**20


@dataclass(slots=True)
class Message:
    """One message that was not deleted yet."""

    id: str
    body: str
    sent: float
    #: Of the newest receipt; empty before the first.
    handle: str = ""
    received: int = 0
    first_received: float = 0.0

    @property
    def digest(self) -> str:
        """The MD5 of the body, which receivers compare."""
        return hashlib.md5(self.body.encode(), usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class Queue:
    """A standard queue."""

    name: str
    created: float
    #: Seconds for which a received message stays invisible, unless the receiver says otherwise.
    visibility_timeout: int = 30
    #: Seconds that a receiver waits for a message, unless it says otherwise.
    wait_seconds: int = 0
    #: Seconds after which a message is forgotten.
    retention_seconds: int = 345_600
    _messages: dict[str, Message] = field(init=False, default_factory=dict)
    #: Ids of visible messages, and of some that are gone.
    _visible: deque[str] = field(init=False, default_factory=deque)
    #: (when it becomes visible, tie break, id) of the others; also of some that are gone.
    _hidden: list[tuple[float, int, str]] = field(init=False, default_factory=list)
    _ties: Iterator[int] = field(init=False, default_factory=itertools.count)

    def send(self, body: str, now: float) -> Message:
        """Add a message."""
        message = Message(str(uuid.uuid4()), body, now)
        self._messages[message.id] = message
        self._visible.append(message.id)
        return message

    def receive(self, most: int, visibility_timeout: float, now: float) -> list[Message]:
        """Up to `most` visible messages, which are then invisible for a while; the longest visible first."""
        self._refresh(now)
        out: list[Message] = []
        while self._visible and len(out) < most:
            message = self._messages.get(self._visible.popleft())
            if message is None:
                continue
            message.handle = f"{message.id}.{uuid.uuid4().hex}"
            message.received += 1
            message.first_received = message.first_received or now
            heapq.heappush(self._hidden, (now + visibility_timeout, next(self._ties), message.id))
            out.append(message)
        return out

    def delete(self, handle: str) -> bool:
        """Forget the message with this receipt handle, if there is one. False when it is no receipt handle.

        As in SQS, an older receipt's handle deletes nothing once the message was received again.
        """
        id_, dot, _ = handle.partition(".")
        if not dot:
            return False
        message = self._messages.get(id_)
        if message is not None and message.handle == handle:
            del self._messages[id_]
        return True

    def counts(self, now: float) -> tuple[int, int]:
        """How many messages are visible, and how many are not."""
        self._refresh(now)
        hidden = sum(id_ in self._messages for _, _, id_ in self._hidden)
        return len(self._messages) - hidden, hidden

    @property
    def wake(self) -> float | None:
        """When a message may become visible by itself; None when there is none that could."""
        return self._hidden[0][0] if self._hidden else None

    def _refresh(self, now: float) -> None:
        while self._hidden and self._hidden[0][0] <= now:
            self._visible.append(heapq.heappop(self._hidden)[2])
        for message in list(itertools.takewhile(lambda m: m.sent + self.retention_seconds <= now, self._by_age())):
            del self._messages[message.id]

    def _by_age(self) -> Iterator[Message]:
        return iter(self._messages.values())
