"""What users say about how tasks should run, beside what they run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Hints:
    """Of those tasks about which something was said.

    Attributes:
        retries: How often a task that raises is run again, by task.
        seconds: How long a task is expected to run, by task.
    """

    retries: Mapping[int, int] = field(default_factory=dict)
    seconds: Mapping[int, float] = field(default_factory=dict)

    def between(self, first: int, end: int) -> tuple[dict[int, int], dict[int, float]] | None:
        """The hints of some consecutive tasks, in the form in which they travel; None if there are none."""
        if not self.retries and not self.seconds:
            return None
        retries = {task: value for task, value in self.retries.items() if first <= task < end}
        seconds = {task: value for task, value in self.seconds.items() if first <= task < end}
        return (retries, seconds) if retries or seconds else None
