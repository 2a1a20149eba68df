"""What a deployment costs while nothing runs on it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wukong.aws.containers import Containers
from wukong.aws.price_table import MONTH_HOURS, PriceTable


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of thing.

    Attributes:
        what: Its name.
        count: How many of it there are.
        hourly: US dollars for all of them for an hour; None where the table has no price of it.
    """

    what: str
    count: float
    hourly: float | None

    @property
    def monthly(self) -> float | None:
        """The same for a month."""
        return None if self.hourly is None else self.hourly * MONTH_HOURS


def bill(services: Sequence[Containers], billed: Mapping[str, float], prices: PriceTable) -> list[Line]:
    """A line for each service and for each other thing that is billed by time.

    Args:
        services: The containers that there shall be.
        billed: How many there are of other things, by their names in the table.
        prices: The table.
    """
    lines = []
    for found in services:
        price = prices.fargate.get(found.architecture)
        hourly = None if price is None else found.tasks * price.hourly(found.vcpus, found.gb)
        lines.append(Line(f"{found.service} ({found.vcpus:g} vCPU, {found.gb:g} GB)", found.tasks, hourly))
    for name, count in sorted(billed.items()):
        each = prices.hourly.get(name)
        lines.append(Line(name.replace("_", " "), count, None if each is None else count * each))
    return lines


def total(lines: Sequence[Line]) -> float:
    """US dollars for all that has a price, for an hour."""
    return sum(line.hourly or 0.0 for line in lines)
