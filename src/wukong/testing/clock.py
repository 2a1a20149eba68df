"""A clock that moves only when it is told to."""

from __future__ import annotations

import threading


class Clock:
    """Time under a test's control. Call it for the time; several threads may.

    Args:
        now: The time to start at, in seconds since the epoch.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """The time, in seconds since the epoch."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: `seconds` is negative; time does not run backwards.
        """
        if seconds < 0:
            raise ValueError(f"time cannot go back by {-seconds:g} s")
        with self._lock:
            self._now += seconds
