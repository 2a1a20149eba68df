"""The default policy: start with little, and give work away on the beat.

A beat is a few times what an invocation costs. Whoever has run for a beat with work waiting may promote the oldest of
it into an invocation of its own: the cost of invocations then stays a constant fraction of the work done, and nothing
needs to be known about how long tasks take. What is known (the mean duration so far) only makes the cut better.

The theory leaves out that work given away needs its inputs, and that others need what it makes. Where tasks are shorter
than a beat, and moving what they have made so far would take longer than a good part of making it took, all stays
together.

A large value that others may need is stored for them some beats later than a small one, if nobody is idle: by then it
may turn out that its executor has all the others. See `wukong.engine.patience`.

Source: Acar, Charguéraud, Guatto, Rainey, Sieczkowski, "Heartbeat Scheduling: Provable Efficiency for Nested
Parallelism", PLDI 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from wukong.engine.policy.groups import contiguous

#: Leaves that one first executor is started with; a beat spreads fewer faster than invocations could.
LEAVES_PER_GROUP = 50_000

#: A piece is worth giving away when it holds this many times the cost of an invocation.
COSTS_PER_PIECE = 3.0

#: Short tasks are given away where moving what they make takes up to this part of the time that making it takes.
MOST_MOVING = 0.5

#: Those are short that take less than a beat, which is this many costs of an invocation.
COSTS_PER_BEAT = 4.0

#: How often a fan-in is asked about again before a large value is stored for it; and the beats before each.
POLLS = 10
BEATS_PER_POLL = 3


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Heartbeat scheduling. `invocation_seconds` is what starting an executor costs."""

    invocation_seconds: float
    bounded: ClassVar[bool] = True
    at_once: ClassVar[bool] = False
    stores_all: ClassVar[bool] = False
    elides: ClassVar[bool] = True
    delays: ClassVar[bool] = True
    inlines: ClassVar[bool] = True
    lean: ClassVar[bool] = False
    large_bytes: ClassVar[int | None] = None

    def initial_groups(self, leaves: Sequence[int], parallelism: int) -> list[Sequence[int]]:
        """One group for each `LEAVES_PER_GROUP`."""
        return contiguous(leaves, max(1, min(parallelism, len(leaves) // LEAVES_PER_GROUP)))

    def on_beat(self, waiting: int, room: int, task_seconds: float, aged: bool, moving: float) -> int:
        """As many pieces as are worth an invocation; one if the oldest task has waited for a beat.

        Giving that one away is paid for by the work done meanwhile, whatever is behind it. None where short tasks make
        values that cost too much to move.
        """
        if moving > MOST_MOVING and task_seconds < COSTS_PER_BEAT * self.invocation_seconds:
            return 0
        worth = int(waiting * task_seconds / (COSTS_PER_PIECE * self.invocation_seconds))
        return max(0, min(room, waiting, max(worth, int(aged))))

    def cut(self, tasks: Sequence[int], count: int) -> list[Sequence[int]]:
        """Neighbours."""
        return contiguous(tasks, count)

    def on_fan_out(self, children: int, large: bool) -> int:
        """All stay until a beat."""
        return children

    def on_claim(self, waiting: int, large: bool) -> bool:
        """It stays until a beat."""
        return True

    def on_not_yet(self, polled: int, last: bool) -> float | None:
        """Some times, and then the value is stored."""
        return BEATS_PER_POLL * COSTS_PER_BEAT * self.invocation_seconds if polled < POLLS else None
