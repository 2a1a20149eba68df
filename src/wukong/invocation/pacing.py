"""The pace that the operator allows, and turns at it that threads share."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from wukong import settings
from wukong.invocation.pace import Pace
from wukong.invocation.refusal import BUSY, Refusal


@dataclass(frozen=True, slots=True)
class Pacing:
    """What the operator allows one part.

    Attributes:
        rate: Executors a second on average; 0 for no limit.
        burst: Executors at once.
    """

    rate: float = 0.0
    burst: int = 1000

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Pacing:
        """What the environment says.

        Raises:
            InvalidSetting: A number is none, or too small.
        """
        return cls(
            float(settings.INVOCATION_RATE.whole(environ)),
            settings.INVOCATION_BURST.whole(environ, 1),
        )

    def share(self, parts: int) -> Pacing:
        """The share of one of so many that ask at the same time and do not know of each other."""
        return Pacing(self.rate / parts, max(1, self.burst // parts))

    def turns(self) -> Turns:
        """Turns at this pace."""
        return Turns(Pace(self.rate, self.burst) if self.rate else None)


class Turns:
    """A pace that threads share, on the machine's steady clock; or none, and then nobody waits.

    Args:
        pace: The pace.
    """

    def __init__(self, pace: Pace | None) -> None:
        self._pace = pace
        self._lock = threading.Lock()

    def wait(self) -> float:
        """Take a turn and return 0, or return the seconds after which to try again."""
        if self._pace is None:
            return 0.0
        with self._lock:
            return self._pace.turn(time.monotonic())

    def answered(self, refused: Refusal | None) -> None:
        """Say what became of it."""
        if self._pace is None:
            return
        with self._lock:
            if refused is None:
                self._pace.accepted(time.monotonic())
            elif refused.code in BUSY:
                self._pace.refused(time.monotonic())
