"""How often a part that ends may be started again. Pure: no clock, no process."""

from __future__ import annotations

#: Ends that are taken in a row; one more is taken for each `FORGIVEN_SECONDS` that the part ran since. So ten of them
#: within a minute are the end of the cluster.
MOST = 10
FORGIVEN_SECONDS = 6.0

#: Ends after which the next start is at once.
AT_ONCE = 2

#: Seconds before the start that follows those; doubled each time up to the second number.
_PAUSES = (0.05, 2.0)


class Restarts:
    """The record of one part."""

    def __init__(self) -> None:
        self._ends = 0.0

    def ended(self, ran: float) -> float | None:
        """The part ended; returns the seconds to wait before it is started again, or None: it ends too often.

        Args:
            ran: Seconds that it had been ready; a start that failed is 0.
        """
        self._ends = max(0.0, self._ends - ran / FORGIVEN_SECONDS) + 1
        if self._ends > MOST:
            return None
        first, longest = _PAUSES
        return 0.0 if self._ends <= AT_ONCE else min(longest, first * 2 ** (self._ends - AT_ONCE - 1))
