"""What is printed: one row for each message or event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass
class Row:
    """One message, or one thing that happened.

    Attributes:
        time: Seconds since 1970.
        source: Who sent it, or did it.
        target: Who received it; empty for an event.
        text: What it says.
        fold: Rows of one source with the same `fold` that follow each other are shown once.
        count: How many rows this one stands for.
    """

    time: float
    source: str
    target: str
    text: str
    fold: str = ""
    count: int = 1

    def line(self, start: float) -> str:
        """The row as it is printed; the time in ms after `start`."""
        parties = f"{self.source} -> {self.target}" if self.target else self.source
        more = f" (and {self.count - 1} more like it)" if self.count > 1 else ""
        return f"{(self.time - start) * 1e3:7.1f}  {parties:<23}  {self.text}{more}"


def ordered(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order of time; of those that only repeat what their source said last, the first."""
    shown: list[Row] = []
    last: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: row.time):
        before = last.get(row.source)
        if row.fold and before is not None and before.fold == row.fold:
            before.count += 1
            continue
        shown.append(row)
        last[row.source] = row
    return shown
