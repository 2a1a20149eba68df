"""How long a holder may go on before it hands its work over: the platform ends its environment at a time limit. Pure.

What it needs for that is a margin: a part of the limit for the calls, and the time that storing what is live takes. How
much is live is not known without packing it; the growth of the process since the start stands for it.

A task begins only if it is expected to be over before the margin. One that takes longer than expected has half of
the margin too, and is then given up: whoever it is handed over to begins with it, and has the whole limit for it. That
helps only where the task began late; one that began early goes on to the limit.

The margin is of no use to a task that lets no other thread run, and ends its environment at the limit in the middle of
all the work that came before. So each further holder of a record has half of the time of the one before it to begin
tasks: sooner or later such a task is the first of its invocation.
"""

from __future__ import annotations

#: The part of the time limit that is kept for handing over, and the most of it in seconds.
MARGIN_SHARE, MARGIN_SECONDS = 0.2, 10.0

#: The part of the margin that a task may use which takes longer than expected.
OVERTIME = 0.5

#: Bytes that an executor stores in a second, at least; Lambda's network carries about 75 MB/s.
STORED_PER_SECOND = 50e6


class TimeLeft:
    """The time of one invocation. Times are seconds of any steady clock.

    Attributes:
        until: When the last task has to be over, as far as can be expected.
        late: A task that began after this has a longer time with another holder.
    """

    def __init__(self, seconds: float, now: float, begins: int = 1) -> None:
        """`seconds` are left from `now` on, infinity without a limit; `begins` is the holder's number, from 1."""
        self._margin = min(MARGIN_SECONDS, MARGIN_SHARE * seconds)
        self._before_storing = now + (seconds - self._margin) / 2 ** (begins - 1)
        self._end = now + seconds
        self._first: int | None = None
        self._storing = 0.0
        self.until = self._before_storing
        self.late = now + self._margin

    def resident(self, nbytes: int) -> None:
        """The process has so many bytes now."""
        if self._first is None:
            self._first = nbytes
        self._storing = max(0, nbytes - self._first) / STORED_PER_SECOND
        self.until = self._before_storing - self._storing

    def is_over(self, started: float, now: float) -> bool:
        """Whether a task that began at `started` and runs still is to be given up."""
        return started > self.late and now > self._end - (1 - OVERTIME) * self._margin - self._storing
