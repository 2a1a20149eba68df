"""Which of the ready tasks a beat gives away: the oldest ones, in pieces, as many as the policy says. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Container, Mapping, Sequence
from itertools import islice

from wukong.engine.instructions import FetchPages
from wukong.engine.pages import Pages
from wukong.engine.policy.policy import Policy


class Cuts:
    """The cuts of one walk.

    Args:
        policy: Says how many pieces.
        pages: The pages that the walk has.
        claims: What the walk has claimed: that is never given away by a beat.
    """

    def __init__(self, policy: Policy, pages: Pages, claims: Container[int]) -> None:
        self._policy = policy
        self._pages = pages
        self._claims = claims
        self._oldest: int | None = None
        #: Pages have to be fetched before the last cut can be made.
        self.unfinished = False

    def cut(
        self,
        ready: deque[int],
        room: int,
        seconds: float,
        expected: Mapping[int, float],
        leaves: Collection[int],
    ) -> list[Sequence[int]] | FetchPages | None:
        """Take pieces out of the ready tasks; or say which pages it takes to do that, or None where all stays here.

        Args:
            ready: The ready tasks, the oldest first.
            room: How many more records the job may have.
            seconds: What a task takes of which the user said nothing.
            expected: What tasks take of which the user said something.
            leaves: Tasks that need no page to be given away.
        """
        self.unfinished = False
        oldest = ready[0] if ready else None
        aged = oldest is not None and oldest == self._oldest
        self._oldest = oldest
        waiting = len(ready)
        if waiting and expected:
            seconds = sum(expected.get(task, seconds) for task in ready) / waiting
        count = self._policy.on_beat(waiting, room, seconds, aged)
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
