"""A model of AWS Lambda's asynchronous invocations: a queue, a limit of environments, and no promise at all.

An invocation may be delivered late, twice or never (the fault plan says); at most `environments` run at once, and the
others wait in the order of their arrival until they are too old.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from wukong.testing.simulation.loop import Control, Loop, Process

#: Seconds after which AWS forgets an invocation that it could not deliver; the setting of our functions.
MAX_AGE = 300.0


class Invocation(NamedTuple):
    """The event of an executor: the record to begin, and the pages that its entries are in."""

    job: str
    record: str
    pages: Sequence[int]


class Functions:
    """The executor function.

    Args:
        loop: Its time.
        environments: Most executions at once.
        deliveries: Draws after how many seconds an invocation is delivered: once, several times or never.
        handler: What an execution does, in its process.
        died: Told of executions that died.
    """

    def __init__(
        self,
        loop: Loop,
        environments: int,
        deliveries: Callable[[Invocation], list[float]],
        handler: Callable[[Process, Invocation], Control],
        died: Callable[[Process, Invocation], None],
    ) -> None:
        self._loop = loop
        self._environments = environments
        self._deliveries = deliveries
        self._handler = handler
        self._died = died
        self._waiting: deque[tuple[Invocation, float]] = deque()
        #: Executions so far, and those under way.
        self.started = 0
        self.running: dict[str, Process] = {}

    def invoke(self, invocation: Invocation) -> None:
        """Take an invocation; the effect of a call to the Invoke API."""
        for delay in self._deliveries(invocation):
            self._loop.after(delay, self._arrive, invocation, self._loop.now)

    def _arrive(self, invocation: Invocation, asked: float) -> None:
        self._waiting.append((invocation, asked))
        self._start_waiting()

    def _start_waiting(self) -> None:
        while self._waiting and len(self.running) < self._environments:
            invocation, asked = self._waiting.popleft()
            if self._loop.now - asked <= MAX_AGE:
                self._start(invocation)

    def _start(self, invocation: Invocation) -> None:
        self.started += 1
        process = Process(self._loop, f"x{self.started}")
        self.running[process.name] = process

        def ended() -> None:
            if self.running.pop(process.name, None) is not None:
                self._start_waiting()

        def dead() -> None:
            self._died(process, invocation)
            ended()

        process.on_death = dead
        process.spawn(self._handler(process, invocation), lambda _: ended())
