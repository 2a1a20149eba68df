"""How long a holder may go on before it hands its work over: the platform ends its environment at a time limit. Pure.

What it needs for that is a margin: a part of the limit for the calls, and the time that storing what is live takes. How
much is live is not known without packing it; the growth of the process since the start stands for it.
"""

from __future__ import annotations

#: The part of the time limit that is kept for handing over, and the most of it in seconds.
MARGIN_SHARE, MARGIN_SECONDS = 0.2, 10.0

#: Bytes that an executor stores in a second, at least; Lambda's network carries about 75 MB/s.
STORED_PER_SECOND = 50e6


class TimeLeft:
    """The time of one invocation. Times are seconds of any steady clock."""

    def __init__(self, seconds: float, now: float) -> None:
        """`seconds` are left from `now` on; infinity where there is no limit."""
        self._before_storing = now + seconds - min(MARGIN_SECONDS, MARGIN_SHARE * seconds)
        self._first: int | None = None
        #: When the last task has to be over.
        self.until = self._before_storing

    def resident(self, nbytes: int) -> None:
        """The process has so many bytes now."""
        if self._first is None:
            self._first = nbytes
        self.until = self._before_storing - max(0, nbytes - self._first) / STORED_PER_SECOND
