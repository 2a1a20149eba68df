"""How fast one part asks Lambda for executors. Pure: the time in, when to ask out.

Theory of operation
-------------------
Lambda lets a function have 1,000 environments more every ten seconds, and an account so many at once as its quota says.
What is asked beyond is refused with TooManyRequestsException, at the price of a request; if each record of a wide start
were asked for again on its own, refusals would be most of what is asked. So all who share a pace take turns:

- A bucket of `burst` turns fills with `rate` a second (kept as the time at which it would be full, so that a turn is
  two comparisons). Whoever finds it empty is told when to come again. Nothing is reserved: what is learned meanwhile
  counts for all who wait, of whom there are only as many as ask at once.
- A refusal for want of room holds all of them up, for a pause that doubles with each further one and is never quite
  the same, so that parts which were refused together do not ask together again. Behind the pause the bucket is empty:
  it goes on at the rate. What was under way when the pause began does not lengthen it.

Source: AWS Lambda Developer Guide, "Lambda scaling behavior" and "Lambda quotas".
"""

from __future__ import annotations

import random
from collections.abc import Callable

#: The most seconds that the first refusal holds up, and that any does.
FIRST_HOLD, LONGEST_HOLD = 0.5, 20.0


class Pace:
    """Turns. All times are seconds of one steady clock.

    Args:
        rate: Turns in a second, on average; above 0.
        burst: Turns at once, at least 1.
        chance: Draws from 0 to 1.
    """

    def __init__(self, rate: float, burst: int, chance: Callable[[], float] = random.random) -> None:
        self._step = 1.0 / rate
        self._slack = (burst - 1) * self._step
        self._chance = chance
        #: When the bucket would be full if nobody took a turn any more.
        self._full = float("-inf")
        #: Until when everybody is held up, and how often in a row that was so.
        self._held = float("-inf")
        self._holds = 0

    def turn(self, now: float) -> float:
        """Take a turn and return 0, or return the seconds after which to try again."""
        ready = max(self._full - self._slack, self._held)
        if now < ready:
            return ready - now
        self._full = max(self._full, now) + self._step
        return 0.0

    def refused(self, now: float) -> None:
        """What was asked found no room."""
        if now < self._held:
            return
        longest = min(FIRST_HOLD * 2.0**self._holds, LONGEST_HOLD)
        self._holds += 1
        self._held = now + longest * (0.5 + self._chance() / 2)
        self._full = max(self._full, self._held + self._slack)

    def accepted(self, now: float) -> None:
        """What was asked found room."""
        if now >= self._held:
            self._holds = 0
