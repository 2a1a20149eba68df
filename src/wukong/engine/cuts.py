"""Which of the ready tasks a beat gives away: the oldest ones, in pieces, as many as the policy says. Pure.

The policy is told how much the work would suffer from being spread: what values that are here already would cost to
move, since about as much will go between executors, and what the next pieces would need.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Container, Sequence
from itertools import islice

from wukong.engine.durations import Durations
from wukong.engine.instructions import FetchPages
from wukong.engine.pages import Pages
from wukong.engine.policy.policy import Policy

#: What it takes to move one value that is not large through the stores: written by one executor, read by another, each
#: among others. Measured with values of 10 KB on two cores: 100 µs of processors' time, of which half is in the way.
VALUE_SECONDS = 50e-6

#: So many of the oldest tasks are looked at.
LOOK = 100


class Cuts:
    """The cuts of one walk.

    Args:
        policy: Says how many pieces.
        pages: The pages that the walk has.
        claims: What the walk has claimed: that is never given away by a beat.
        durations: What tasks take.

    Attributes:
        unfinished: Pages have to be fetched before the last cut can be made.
    """

    def __init__(self, policy: Policy, pages: Pages, claims: Container[int], durations: Durations) -> None:
        self._policy = policy
        self._pages = pages
        self._claims = claims
        self._durations = durations
        self._oldest: int | None = None
        self.unfinished = False

    def cut(
        self, ready: deque[int], room: int, running_for: float, held: int, leaves: Collection[int]
    ) -> list[Sequence[int]] | FetchPages | None:
        """Take pieces out of the ready tasks; or say which pages it takes to do that, or None where all stays here.

        Args:
            ready: The ready tasks, the oldest first.
            room: How many more records the job may have.
            running_for: Seconds that the running task has taken so far.
            held: How many values are in memory that others might need.
            leaves: Tasks that need no page to be given away.
        """
        self.unfinished = False
        oldest = ready[0] if ready else None
        aged = oldest is not None and oldest == self._oldest
        self._oldest = oldest
        waiting = len(ready)
        seconds = self._durations.mean(ready, running_for)
        moving = self._moving(ready, seconds, held) if room > 0 and seconds else 0.0
        count = self._policy.on_beat(waiting, room, seconds, aged, moving)
        if count <= 0:
            return None
        amount = waiting - max(0, (waiting + 1) // (count + 1) - 1)
        if unknown := self._pages.unknown(islice(ready, amount), leaves):
            self.unfinished = True
            self._oldest = oldest if aged else None
            return FetchPages(unknown)
        taken = [ready.popleft() for _ in range(amount)]
        given = sorted(task for task in taken if task not in self._claims)
        ready.extendleft(task for task in reversed(taken) if task in self._claims)
        return self._policy.cut(given, count) if given else None

    def _moving(self, ready: deque[int], seconds: float, held: int) -> float:
        """What moving values takes, as a part of the time in which they are made, or of that of the oldest tasks."""
        oldest = list(islice(ready, LOOK))
        inputs = {parent for task in oldest if (page := self._pages.get(task)) for parent in page.deps(task)}
        needed = len(inputs) / (len(oldest) * seconds) if oldest else 0.0
        return max(held / (self._durations.worked + seconds), needed) * VALUE_SECONDS
