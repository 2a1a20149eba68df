"""How long the tasks of one walk take, as far as that is known. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

#: Weight of the newest task in the running mean.
NEWEST = 0.2


class Durations:
    """What tasks took, and are expected to take, in seconds.

    Attributes:
        worked: For how long tasks have run, in all.
        expected: What tasks are expected to take about which the user said something; the shell may share its own.
    """

    def __init__(self) -> None:
        self._mean = 0.0
        self.worked = 0.0
        self.expected: Mapping[int, float] = {}

    def ran(self, seconds: float) -> None:
        """A task took that long."""
        self.worked += seconds
        self._mean += (seconds - self._mean) * (NEWEST if self._mean else 1.0)

    def of(self, task: int) -> float:
        """What a task is expected to take."""
        return self.expected.get(task, self._mean)

    def mean(self, tasks: Collection[int], running_for: float) -> float:
        """What each of these is expected to take, where the one that runs now has taken so long already."""
        seconds = max(self._mean, running_for)
        if not (tasks and self.expected):
            return seconds
        return sum(self.expected.get(task, seconds) for task in tasks) / len(tasks)
