"""Token buckets: how much of something each of many may do in a while. Pure: names and the time in, seconds out."""

from __future__ import annotations

from collections import OrderedDict

#: Names that are remembered. Whoever did nothing for longest is forgotten first, and has a full bucket again.
REMEMBERED = 10_000


class Buckets:
    """One bucket for each name. It holds `burst` at most, and gains `rate` in a second.

    All times are seconds of one monotonic clock.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self._burst = burst
        #: Name -> what its bucket held, and when; the last used at the end.
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def wait(self, name: str, now: float) -> float:
        """Seconds until there is one for this name; 0 where there is one. Takes nothing."""
        return max(0.0, (1.0 - self._level(name, now)) / self.rate)

    def take(self, name: str, now: float) -> float:
        """Take one, and return 0; or the seconds until there is one."""
        level = self._level(name, now)
        if level < 1.0:
            return (1.0 - level) / self.rate
        self._held[name] = level - 1.0, now
        self._held.move_to_end(name)
        if len(self._held) > REMEMBERED:
            self._held.popitem(last=False)
        return 0.0

    def _level(self, name: str, now: float) -> float:
        level, then = self._held.get(name, (self._burst, now))
        return min(self._burst, level + (now - then) * self.rate)
