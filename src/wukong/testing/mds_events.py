"""The stream of events of one job, as the in-memory metadata store keeps it."""

from __future__ import annotations

from collections import deque

from wukong.mds.store import Event, LogText, Retried

#: Events kept; older ones are dropped.
KEPT = 10_000


class EventStream:
    """Events in order. Their sequence numbers are the time in milliseconds and a count, and always grow."""

    def __init__(self) -> None:
        self._events: deque[tuple[tuple[int, int], Event]] = deque(maxlen=KEPT)
        self._last = (0, 0)

    def __len__(self) -> int:
        return len(self._events)

    def add_state(self, now: int, state: str) -> None:
        """The job changed its state."""
        sequence = self._next(now)
        self._events.append((self._last, Event(sequence, "state", state)))

    def add_log(self, now: int, log: LogText) -> None:
        """A task printed. What UTF-8 cannot carry is replaced."""
        sequence = self._next(now)
        text = log.text.encode(errors="replace").decode()
        self._events.append((self._last, Event(sequence, "log", text, log.task, log.stream, log.key)))

    def add_retried(self, now: int, retried: Retried) -> None:
        """A task raised and is run again. What UTF-8 cannot carry is replaced."""
        sequence = self._next(now)
        text = retried.text.encode(errors="replace").decode()
        event = Event(sequence, "retried", text, retried.task, key=retried.key, attempt=retried.attempt)
        self._events.append((self._last, event))

    def after(self, sequence: str, count: int) -> list[Event]:
        """At most `count` events after a sequence number, oldest first."""
        time, _, number = sequence.partition("-")
        start = (int(time), int(number or 0))
        found = [event for position, event in self._events if position > start]
        return found[:count]

    def _next(self, now: int) -> str:
        time, number = self._last
        self._last = (now, 0) if now > time else (time, number + 1)
        return f"{self._last[0]}-{self._last[1]}"
