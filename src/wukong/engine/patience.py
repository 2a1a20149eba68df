"""How long what arrived at a fan-in waits before others are told, and an offered value before it is stored. Pure.

Telling others costs: what they may need is written, a round trip for each. It is for somebody who could use it now.

* Where no other executor of the job runs, nobody could. What arrived then waits for many beats, and mostly until the
  fan-in is complete here. It does not wait for ever: if this executor dies, what it told nobody of is lost.
* Where each executor that the job may have is at work, nobody is idle for want of a large value. A busy one then asks
  a few times more, in case the fan-in has become complete through its own work or that of others, as the policy says.

An executor whose memory fills up waits for nothing, since what is stored may leave its memory.
"""

from __future__ import annotations

from wukong.engine.policy.policy import Policy

#: Beats that an arrival waits for where no other executor of the job runs.
ALONE_BEATS = 50

#: The part of the memory from which on it fills up.
CROWDED_SHARE = 0.5


class Patience:
    """The patience of one walk.

    Args:
        policy: Says how often to ask again.
        beat: Seconds.
        others: How many executors the job may have beside this one.
    """

    def __init__(self, policy: Policy, beat: float, others: int) -> None:
        self._policy = policy
        self._beat = beat
        self._others = others
        self._crowded = False

    def memory(self, used: int, limit: int) -> None:
        """How much memory is in use, of the limit, in bytes; no limit is known where that is 0."""
        self._crowded = 0 < limit * CROWDED_SHARE < used

    def since(self, now: float, room: int) -> float:
        """An arrival that has waited since then is reported now; the job may have `room` more executors."""
        alone = room >= self._others and not (self._policy.lean or self._crowded)
        return now - self._beat * (ALONE_BEATS if alone else 1)

    def pause(self, polled: int, last: bool, large: bool, idle: bool) -> float | None:
        """In how many seconds to ask again about a fan-in before values are stored for it; None to store them now.

        Args:
            polled: How often it was asked about again.
            last: Whether the last of its edges is here.
            large: Whether one of the values is.
            idle: Whether somebody is who could go on with them: this executor, or one that the job might have.
        """
        if not large or (not self._policy.at_once and (idle or self._crowded)):
            return None
        return self._policy.on_not_yet(polled, last)
