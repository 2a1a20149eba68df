"""The default policy: start with little, and give work away on the beat.

A beat is a few times what an invocation costs. Whoever has run for a beat with work waiting may promote the oldest of
it into an invocation of its own: the cost of invocations then stays a constant fraction of the work done, and nothing
needs to be known about how long tasks take. What is known (the mean duration so far) only makes the cut better.

Source: Acar, Charguéraud, Guatto, Rainey, Sieczkowski, "Heartbeat Scheduling: Provable Efficiency for Nested
Parallelism", PLDI 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

#: Leaves that one first executor is started with; a beat spreads fewer faster than invocations could.
LEAVES_PER_GROUP = 50_000

#: A piece is worth giving away when it holds this many times the cost of an invocation.
COSTS_PER_PIECE = 3.0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Heartbeat scheduling. `invocation_seconds` is what starting an executor costs."""

    invocation_seconds: float

    def initial_groups(self, leaves: Sequence[int], parallelism: int) -> list[Sequence[int]]:
        """Cut the leaves, in depth-first order, into contiguous groups, one per first executor."""
        groups = max(1, min(parallelism, len(leaves) // LEAVES_PER_GROUP))
        size, rest = divmod(len(leaves), groups)
        cuts = [i * size + min(i, rest) for i in range(groups + 1)]
        return [leaves[start:end] for start, end in pairwise(cuts)]

    def on_beat(self, waiting: int, room: int, task_seconds: float, aged: bool) -> int:
        """How many pieces to cut from the waiting tasks.

        Args:
            waiting: Ready tasks behind the running one.
            room: How many more executors the job may have.
            task_seconds: What a task is expected to take.
            aged: Whether the oldest waiting task has waited for a whole beat, so that giving it away is paid for
                by the work done meanwhile, whatever is behind it.
        """
        worth = int(waiting * task_seconds / (COSTS_PER_PIECE * self.invocation_seconds))
        return max(0, min(room, waiting, max(worth, int(aged))))
