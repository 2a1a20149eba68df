"""What one walk knows of values: which are here, where others are, and who still needs them. Pure bookkeeping.

A value is *here* when it is in memory, and has a *mark* when anybody can read it. `uses` counts for each value the
edges that may still need it here, plus one while a result of it is not committed or it is being written. An edge is
settled when its child ran here, was given away, was taken, or when the edge's mark is in the store. At zero the value
is dropped.

A walk that *restores* has entries that ran before: results that were lost. Such an entry needs its own value, and
nothing else.

A *lean* walk keeps nothing here that it can read again: what it does not need at this moment leaves memory as soon as
it has a mark, and is brought back for its next use. Only results stay until they are committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wukong.engine.instructions import Piece, Store
from wukong.engine.pages import Page, Pages


class Holdings:
    """The values of one walk.

    Attributes:
        here: Tasks whose values are in memory.
        marks: Where values can be read, by task.
        inputs: The same, as the record came with it, for its entries.
        uses: Who still needs a value, as a count.
        results: In a lean walk, the sinks that ran and are not committed.
        large: Tasks whose values are here and large, as far as that is known.
        restores: Whether the entries are results that were lost.
        dropped: Values to remove from memory; whoever does it empties the list.
    """

    __slots__ = ("_unwritten", "dropped", "here", "inputs", "large", "marks", "restores", "results", "uses")

    def __init__(self) -> None:
        self.here: set[int] = set()
        self.marks: dict[int, bytes] = {}
        self.inputs: dict[int, bytes] = {}
        self.uses: dict[int, int] = {}
        self.large: set[int] = set()
        self.results: set[int] = set()
        self.restores = False
        self.dropped: list[int] = []
        self._unwritten: list[tuple[int, int]] = []  # fan-in, parent

    def needs(self, task: int, page: Page) -> list[int]:
        """The values that a task of this walk needs; `page` is its own."""
        return [task] if self.restores else page.deps(task)

    def expect(self, task: int) -> None:
        """One edge more needs this value here."""
        self.uses[task] = self.uses.get(task, 0) + 1

    def settle(self, task: int) -> None:
        """One edge fewer needs this value here."""
        left = self.uses[task] - 1
        if left:
            self.uses[task] = left
        else:
            self.drop(task)

    def drop(self, task: int) -> None:
        """Nobody here needs this value any more."""
        del self.uses[task]
        self.marks.pop(task, None)
        if task in self.here:
            self.here.remove(task)
            self.dropped.append(task)
            if self.large:
                self.large.discard(task)

    def lighten(self) -> None:
        """Have all leave memory that can be read again; it is used all the same."""
        self.marks.update((task, self.inputs[task]) for task in self.here & self.inputs.keys() - self.marks.keys())
        leaving = (self.here & self.marks.keys()) - self.results
        self.here -= leaving
        self.large -= leaving
        self.dropped.extend(leaving)

    def absent(self, tasks: Iterable[int]) -> list[int]:
        """Which of these values are not in memory."""
        here = self.here
        return [task for task in tasks if task not in here]

    def mark(self, task: int) -> bytes | None:
        """Where a value was stored, as far as is known."""
        mark = self.marks.get(task)
        return self.inputs.get(task) if mark is None else mark

    def found(self, task: int, mark: bytes) -> None:
        """A value is somewhere else than it was."""
        self.marks[task] = mark
        if task in self.inputs:
            self.inputs[task] = mark

    def piece(self, entries: Sequence[int], pages: Pages) -> Piece:
        """Tasks to give away, with what they need; an entry whose page is not here needs nothing.

        What is neither here nor marked has an empty mark: whoever needs it computes it again.
        """
        inputs: dict[int, bytes | None] = {}
        for task in entries:
            if (page := pages.get(task)) is not None:
                for parent in self.needs(task, page):
                    mark = self.mark(parent)
                    inputs[parent] = b"" if mark is None and parent not in self.here else mark
        return Piece(list(entries), list(inputs.items()))

    def write(self, fan_in: int, tasks: Iterable[int]) -> None:
        """Values have to be stored for a fan-in, unless they are, or nobody needs them, when `store` is asked."""
        self._unwritten.extend((fan_in, task) for task in tasks)

    def store(self) -> Store | None:
        """What has to be stored now. Each of these values stays in memory until its `settle`."""
        if not self._unwritten:
            return None
        together: dict[int, list[int]] = {}
        tasks: dict[int, None] = {}
        for fan_in, task in self._unwritten:
            if task in self.here and task not in self.marks and task not in tasks:
                tasks[task] = None
                if self.uses[task] == 1:
                    together.setdefault(fan_in, []).append(task)
        self._unwritten.clear()
        if not tasks:
            return None
        for task in tasks:
            self.uses[task] += 1
        return Store(list(tasks), [group for group in together.values() if len(group) > 1])
