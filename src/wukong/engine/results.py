"""The results of one walk that are to be committed, in the order in which they were there. Pure bookkeeping."""

from __future__ import annotations

from collections.abc import Iterable

from wukong.engine.holdings import Holdings


class Results:
    """Sinks whose values are here, and that no report has told of.

    Args:
        holdings: The walk's.
        lean: Whether the walk keeps nothing that it can read again: results stay until they are committed.
    """

    def __init__(self, holdings: Holdings, lean: bool) -> None:
        self._holdings = holdings
        self._lean = lean
        self._tasks: list[int] = []
        self._since = 0.0

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, task: int, now: float) -> None:
        """A sink ran."""
        if not self._tasks:
            self._since = now
        self._tasks.append(task)

    def restored(self, tasks: Iterable[tuple[int, bytes | None]], now: float) -> None:
        """Results that were lost are here again, and can be read where their marks say."""
        for task, mark in tasks:
            if mark is not None:
                self._holdings.marks[task] = mark
            self.add(task, now)
            if self._lean:
                self._holdings.results.add(task)

    def committed(self, tasks: Iterable[int]) -> None:
        """A report of them was answered."""
        for task in tasks:
            self._holdings.results.discard(task)
            self._holdings.settle(task)

    def take(self, due: float, most: int) -> list[tuple[int, bytes | None]]:
        """The first ones, at most so many, with their marks as far as they have some, if the first came by `due`."""
        if not (self._lean or self._since <= due):
            return []
        taken = [(task, self._holdings.marks.get(task)) for task in self._tasks[:most]]
        del self._tasks[:most]
        return taken
