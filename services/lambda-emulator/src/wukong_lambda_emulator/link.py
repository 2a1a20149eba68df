"""When bytes arrive at the other end of a network link that is not there. Pure: time, in seconds, is the caller's."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Link:
    """One direction of one environment's network, which all its connections share."""

    #: Seconds that a byte travels.
    seconds: float
    #: Bytes per second that fit through; `math.inf` for no limit.
    rate: float = math.inf
    #: When the bytes that were sent so far have left.
    _free: float = 0.0

    def arrival(self, now: float, nbytes: int, earliest: float = 0.0) -> float:
        """When the last of `nbytes` arrives that are sent at `now`, behind all that was sent before.

        Args:
            now: The time; never before that of an earlier call.
            nbytes: How many bytes.
            earliest: They do not leave before that, because their connection was not yet open.
        """
        self._free = max(self._free, now) + nbytes / self.rate
        return max(self._free, earliest) + self.seconds

    @property
    def window(self) -> int:
        """Bytes of one connection that may be under way: enough to fill the link, with a few milliseconds to spare.

        More would only wait in front of what other connections send.
        """
        if self.rate == math.inf:
            return 4 * 2**20
        return max(64 * 2**10, int(self.rate * (self.seconds + 0.002)))
