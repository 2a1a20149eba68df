"""Where an executor's time goes, and its slowest tasks. It costs the walk a comparison for each task."""

from __future__ import annotations

import heapq
import math
import threading
from collections.abc import Callable

from wukong.mds.phase import Phase
from wukong.mds.store import SLOWEST


class Timesheet:
    """The time of one executor's main thread, divided into phases. What other threads do goes on beside it.

    Args:
        started: When the invocation began.
        clock: The clock, in seconds.
    """

    def __init__(self, started: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = self._since = started
        self._phase = Phase.STARTING
        self._seconds = dict.fromkeys(Phase, 0.0)
        self._lock = threading.Lock()
        self._owner = threading.get_ident()

    def enter(self, phase: Phase) -> None:
        """The thread that made this is now at something else. Without effect in other threads."""
        if threading.get_ident() != self._owner:
            return
        with self._lock:
            now = self._clock()
            self._seconds[self._phase] += now - self._since
            self._since = now
            self._phase = phase

    def read(self) -> tuple[dict[str, int], int]:
        """Microseconds so far by the names of the phases' counters; and milliseconds in all, rounded up, as billed."""
        with self._lock:
            now = self._clock()
            seconds = dict(self._seconds)
            seconds[self._phase] += now - self._since
        microseconds = {phase.value: round(spent * 1e6) for phase, spent in seconds.items()}
        return microseconds, math.ceil((now - self._started) * 1000)


class Slowest:
    """The slowest of one executor's tasks. Callers hold a lock.

    Attributes:
        floor: Seconds; what took less is not among them.
    """

    def __init__(self) -> None:
        self.floor = 0.0
        self._heap: list[tuple[float, int]] = []
        self._new: dict[int, float] = {}

    def add(self, task: int, seconds: float) -> None:
        """A task ran, for longer than the floor."""
        if len(self._heap) < SLOWEST:
            heapq.heappush(self._heap, (seconds, task))
        else:
            self._new.pop(heapq.heapreplace(self._heap, (seconds, task))[1], None)
        self._new[task] = seconds
        if len(self._heap) == SLOWEST:
            self.floor = self._heap[0][0]

    def take(self) -> list[tuple[int, float]]:
        """Those that are new since the last call: task and seconds."""
        taken, self._new = self._new, {}
        return list(taken.items())
