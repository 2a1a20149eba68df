"""What a job has spent and done so far, for the errors of jobs that may spend no more. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wukong.mds.counters import Counters
from wukong.prices import Prices


@dataclass(frozen=True, slots=True)
class Spent:
    """So far.

    Attributes:
        cost_usd: US dollars, at AWS prices of executors.
        seconds: Since the job was submitted.
        tasks_run: How many of its tasks have run; a task that ran twice counts once, as far as that is known.
        tasks: How many tasks it has.
    """

    cost_usd: float
    seconds: float
    tasks_run: int
    tasks: int

    @classmethod
    def of(cls, counters: Counters, prices: Prices, seconds: float, tasks: int) -> Spent:
        """What the counters of a job with so many tasks say."""
        cost = prices.cost(counters.mb_ms, counters.invocations)
        return cls(cost, max(0.0, seconds), min(tasks, max(0, counters.tasks_run - counters.healed)), tasks)

    @property
    def attributes(self) -> dict[str, Any]:
        """For the error."""
        return {
            "cost_usd": self.cost_usd,
            "seconds": self.seconds,
            "tasks_run": self.tasks_run,
            "tasks": self.tasks,
        }
