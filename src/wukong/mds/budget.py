"""What a job may cost."""

from __future__ import annotations

from dataclasses import dataclass

from wukong.errors import BudgetExceeded
from wukong.mds.counters import Counters
from wukong.mds.failure import Failure
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

    def exceeded(self, counters: Counters) -> float | None:
        """What a job has cost, if that is more than it may."""
        spent = self.prices.cost(counters.mb_ms, counters.invocations)
        return spent if spent > self.max_cost_usd else None


def over_budget(max_cost_usd: float, spent: float) -> Failure:
    """The end of a job that cost too much."""
    error = BudgetExceeded(max_cost_usd, spent)
    return Failure(type(error).__name__, str(error), attributes={"limit": error.limit, "value": error.value})
