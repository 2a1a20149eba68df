"""How a node stays in the ring. Pure: what the proxy answered in, what to do next out.

The agent registers, with growing pauses until the proxy answers, and then sends heartbeats. A proxy that does
not know the node (it restarted, or had given the node up) is told everything again. A proxy that does not answer
gets the next heartbeat as usual: the ring outlives it, so there is nothing to hurry for.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

FIRST_PAUSE_SECONDS = 0.05
"""The pause after the first registration that failed; it doubles with each further one."""

LONGEST_PAUSE_SECONDS = 2.0
"""The longest pause between two attempts to register."""


class Action(enum.Enum):
    """What to tell the proxy."""

    REGISTER = "register"
    HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True)
class Step:
    """The next thing to do.

    Attributes:
        action: What to tell the proxy.
        pause: Seconds to wait before.
    """

    action: Action
    pause: float


START = Step(Action.REGISTER, 0.0)
"""What a node does first."""


class Attendance:
    """A node's dialogue with the proxy."""

    def __init__(self) -> None:
        #: Attempts to register that failed, since the last one that did not.
        self._failures = 0
        #: Seconds between heartbeats, as the proxy wants it.
        self._period = LONGEST_PAUSE_SECONDS

    def registered(self, heartbeat_seconds: float) -> Step:
        """The proxy has the node in the ring."""
        self._failures = 0
        self._period = heartbeat_seconds
        return Step(Action.HEARTBEAT, self._period)

    def not_registered(self) -> Step:
        """The proxy did not answer a registration."""
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures, 30), LONGEST_PAUSE_SECONDS)
        self._failures += 1
        return Step(Action.REGISTER, pause)

    def beaten(self, known: bool) -> Step:
        """The proxy answered a heartbeat."""
        return Step(Action.HEARTBEAT, self._period) if known else START

    def not_beaten(self) -> Step:
        """The proxy did not answer a heartbeat."""
        return Step(Action.HEARTBEAT, self._period)
