"""What a job may cost."""

from __future__ import annotations

from dataclasses import dataclass

from wukong.errors import BudgetExceeded
from wukong.mds.counters import Counters
from wukong.mds.failure import Failure
from wukong.mds.spent import Spent
from wukong.prices import Prices


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit, and the prices that it is measured at.

    Attributes:
        max_cost_usd: US dollars after which the job fails.
        prices: Those of executors.
    """

    max_cost_usd: float
    prices: Prices

    def is_exceeded(self, counters: Counters) -> bool:
        """Whether a job has cost more than it may."""
        return self.prices.cost(counters.mb_ms, counters.invocations) > self.max_cost_usd


def over_budget(max_cost_usd: float, spent: Spent) -> Failure:
    """The end of a job that cost too much."""
    error = BudgetExceeded(max_cost_usd, spent.cost_usd, spent.seconds, spent.tasks_run, spent.tasks)
    return Failure(type(error).__name__, str(error), attributes=vars(error))
