"""Whether and when a task that raised is run again, and what is told of it."""

from __future__ import annotations

import random
from collections import deque

from wukong.graph.attempt import Failed
from wukong.mds.store import Retried
from wukong_executor import failures

#: Seconds before a task is run a second time; before each further time they double, up to the longest pause.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0


class Retrying:
    """The errors that tasks are run again after. The main thread adds, the one that reports takes."""

    def __init__(self) -> None:
        self._errors: deque[Retried] = deque()

    def after(self, task: int, attempt: int, error: Exception | Failed, retries: int) -> float | None:
        """The seconds until a task that raised is run again; None when it is not.

        Args:
            task: The task.
            attempt: Which run of it this was; the first is 1.
            error: What it raised, or gave in place of raising.
            retries: How often it may be run again.
        """
        if attempt > retries:
            return None
        # The last line of a traceback is class and message.
        text = error.traceback.strip().rpartition("\n")[2] if isinstance(error, Failed) else failures.in_short(error)
        self._errors.append(Retried(task, attempt, text))
        longest: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt - 1, 30))
        # What fails for being asked too much is not asked again by all at the same moment.
        return random.uniform(0.5, 1.0) * longest

    def take(self) -> list[Retried]:
        """The errors since the last call."""
        return [self._errors.popleft() for _ in range(len(self._errors))]
