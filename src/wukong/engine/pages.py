"""The pages of a graph that one walk has, and those that it needs next."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterable, Mapping, Reversible, Sequence
from itertools import islice
from typing import Protocol

#: Pages fetched ahead, in one round trip.
PAGES_AHEAD = 8

#: Ready tasks that are looked at for pages to fetch ahead.
LOOK_AHEAD = 4096


class Page(Protocol):
    """Adjacency of consecutive tasks; `wukong.graph.page.Page` is the real one."""

    @property
    def first(self) -> int:
        """Id of the first task."""

    @property
    def sinks(self) -> frozenset[int]:
        """Tasks whose values were asked for."""

    @property
    def inputs(self) -> Mapping[int, bytes]:
        """Uploaded inputs: task -> mark."""

    def deps(self, task: int) -> list[int]:
        """Distinct parents, in order of edges."""

    def out(self, task: int) -> list[tuple[int, int, int]]:
        """Out-edges: child, edge, number of the child's parents."""


class Pages:
    """Pages by the tasks that they are of. `first_tasks` has the first task of each page of the graph."""

    def __init__(self, first_tasks: Sequence[int]) -> None:
        self._first_tasks = first_tasks
        self._loaded: dict[int, Page] = {}

    def add(self, page: Page) -> int:
        """A page is here; returns its index."""
        index = self.index(page.first)
        self._loaded[index] = page
        return index

    def index(self, task: int) -> int:
        """The index of the page that a task is on."""
        return bisect_right(self._first_tasks, task) - 1

    def get(self, task: int) -> Page | None:
        """The page that a task is on, if it is here."""
        return self._loaded.get(bisect_right(self._first_tasks, task) - 1)

    def of(self, task: int) -> Page:
        """The page of a task that is known to be here."""
        return self._loaded[bisect_right(self._first_tasks, task) - 1]

    def wanted(self, task: int, ready: Reversible[int]) -> list[int]:
        """The page of the next task, and missing ones of those that are ready after it, last one first."""
        wanted: dict[int, None] = {self.index(task): None}
        for later in islice(reversed(ready), LOOK_AHEAD):
            index = self.index(later)
            if index not in self._loaded:
                wanted[index] = None
                if len(wanted) == PAGES_AHEAD:
                    break
        return list(wanted)

    def unknown(self, tasks: Iterable[int], leaves: Container[int]) -> list[int]:
        """Pages that have to be here before it is known what these tasks need; leaves need nothing."""
        wanted: dict[int, None] = {}
        for task in tasks:
            if task not in leaves and (index := self.index(task)) not in self._loaded:
                wanted[index] = None
        return list(wanted)
