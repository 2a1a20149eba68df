"""Values that are lost, computed again: which tasks have to run for that, in what order. Pure bookkeeping.

Theory of operation
===================

A value is *lost* for a walk when nobody can read it where its mark says, or when it has no mark, for it was only in
the memory of an executor that died. The task that the walk wants to run next waits then, and the walk *pulls* the
value: it runs again what the value is made of, as far back as it has to go.

For each lost value others are asked first (`Seek`). Somebody may have healed it: then there is a mark. Somebody may be
at it: then this walk does something else meanwhile, and asks again. Else it is computed here. Of a task with several
parents the marks of its inputs may still be known, which saves their tasks; all other inputs are looked for in turn.
All that has to be looked for is, before anything runs. So it is known how many will use each value, none is computed
twice, and each is dropped when its last user ran. The tasks to run are kept in lists, however long a chain of them is.

What is lost and had a mark was meant for others, who may miss it too: it is stored and told of (`Heal`). The values in
between are not.

A walk that holds a lock runs all that it can before it waits. So it waits for a value only where all that it has
locked and not computed yet needs that value, or one like it: locks wait for locks of earlier tasks, never in a circle.

A pulled task makes no other task ready, counts towards no fan-in and is given to nobody.
"""

from __future__ import annotations

from collections.abc import Iterable

from wukong.engine.holdings import Holdings
from wukong.engine.instructions import (
    Fetch,
    FetchMarks,
    FetchPages,
    Heal,
    Instruction,
    RunTask,
    Seek,
    Wait,
)
from wukong.engine.pages import Pages

#: Seconds after which somebody who heals a value is asked whether it is done.
PAUSE = 0.05


class Pulls:
    """The lost values of one walk, for the task that it wants to run. All instructions are the main thread's.

    Attributes:
        running: The pulled task that was told to run, if there is one.
        reading: The task of whose fan-in the marks were asked for, if there is one.
        runs: How many pulled tasks ran.
        untold: Values that others leave to this walk, and that are here now.
    """

    def __init__(self, pages: Pages, holdings: Holdings) -> None:
        self._pages = pages
        self._holdings = holdings
        self.running: int | None = None
        self.reading: int | None = None
        self.runs = 0
        self.untold: list[int] = []
        self._lost: dict[int, bytes] = {}  # the last mark of a value that could not be read
        self._unreadable: set[bytes] = set()  # all such marks
        self._look: list[int] = []  # values to look for; the next one is last, here and below
        self._expand: list[int] = []  # tasks to run, whose inputs nobody has looked for yet
        self._pending: dict[int, int] = {}  # tasks to run: how many of their inputs cannot be had yet
        self._users: dict[int, list[int]] = {}  # by value that cannot be had yet: tasks to run on it
        self._ready: list[int] = []  # tasks to run, all of whose inputs can be had
        self._locked: set[int] = set()  # values that others leave to this walk
        self._awaited: dict[int, float] = {}  # values that others are at, and when to ask for them again
        self._saved: set[int] = set()  # values that are told of for whoever goes on where this walk stops

    @property
    def idle(self) -> bool:
        """Whether nothing is lost, or all of it is here or readable again."""
        return not (self._look or self._expand or self._pending or self._awaited or self._locked or self.untold)

    def readable(self, task: int) -> bytes | None:
        """Where a value can be read, as far as is known."""
        mark = self._holdings.mark(task)
        return None if mark in self._unreadable else mark

    def want(self, tasks: Iterable[int]) -> None:
        """Values that the walk needs, which are not here and not readable."""
        self._look.extend(tasks)

    def next(self, now: float) -> Instruction | None:
        """What to do first; None if all that was wanted is here or readable."""
        while True:
            if self.untold:
                return Heal(self.untold[-1])
            if self._expand:
                if fetch := self._inputs_of(self._expand[-1]):
                    return fetch
            elif self._look:
                task = self._look[-1]
                if self._can_be_had(task):
                    self._look.pop()
                    self._arrived(task)
                elif task in self._pending or task in self._awaited:
                    self._look.pop()
                else:
                    return Seek(task, self._lost.get(task))
            elif self._ready:
                if run := self._run(self._ready[-1]):
                    return run
            elif self._awaited:
                task = min(self._awaited, key=self._awaited.__getitem__)
                if (due := self._awaited[task]) > now:
                    return Wait(due - now)
                return Seek(task, self._lost.get(task))
            else:
                return None

    # Answers.

    def lost(self, tasks: Iterable[int]) -> None:
        """Values could not be read where their marks say."""
        for task in tasks:
            if (mark := self._holdings.mark(task)) is not None:
                self._give_up(task, mark)

    def sought(self, task: int, mark: bytes | None, free: bool, now: float) -> None:
        """A `Seek` was answered: where the value is, or whether it is `free` to be computed here."""
        if mark is not None and mark in self._unreadable:
            self._give_up(task, mark)
            return  # and ask again
        if self._awaited.pop(task, None) is None:
            self._look.pop()
        if mark is not None:
            self._holdings.found(task, mark)
            self._arrived(task)
        elif free:
            if task in self._lost:
                self._locked.add(task)
            self._expand.append(task)
        else:
            self._awaited[task] = now + PAUSE

    def marks_read(self, marks: Iterable[tuple[int, bytes]]) -> None:
        """The inputs of the task that is `reading` that have marks: (edge, mark)."""
        assert self.reading is not None
        deps = self._pages.of(self.reading).deps(self.reading)
        for edge, mark in marks:
            if mark not in self._unreadable and not self._can_be_had(deps[edge]):
                self._holdings.marks[deps[edge]] = mark
        self._wait_for_inputs(self.reading, deps)

    def finished(self, task: int) -> None:
        """The task that was `running` ran; its value is here."""
        self.running = None
        self.runs += 1
        self._ready.pop()
        del self._pending[task]
        self._holdings.here.add(task)
        for parent in self._pages.of(task).deps(task):
            self._holdings.settle(parent)
        if task in self._locked:
            self._locked.remove(task)
            self.untold.append(task)
        self._arrived(task)

    def healed(self, task: int, mark: bytes) -> None:
        """A value is stored, and others know of it."""
        self.untold.pop()
        self._holdings.found(task, mark)
        if task in self._saved:
            self._saved.remove(task)
            self._holdings.settle(task)

    def give_up(self) -> None:
        """Nothing more is computed here. What was, and is needed for the rest, is left `untold`, for others."""
        holdings = self._holdings
        needed = [parent for task in self._pending for parent in self._pages.of(task).deps(task)]
        self._saved.update(self.untold)
        self._saved.update(task for task in needed if task in holdings.here and self.readable(task) is None)
        self.untold = sorted(self._saved)
        for task in self.untold:
            holdings.expect(task)
        for task in needed:
            holdings.settle(task)
        for tasks in (self._look, self._expand, self._ready, self._pending, self._users, self._locked, self._awaited):
            tasks.clear()
        self.running = self.reading = None

    # Inside.

    def _can_be_had(self, task: int) -> bool:
        return task in self._holdings.here or self.readable(task) is not None

    def _give_up(self, task: int, mark: bytes) -> None:
        self._lost[task] = mark
        self._unreadable.add(mark)

    def _inputs_of(self, task: int) -> FetchPages | FetchMarks | None:
        """Find out what a task needs that is to run."""
        page = self._pages.get(task)
        if page is None:
            return FetchPages([self._pages.index(task)])
        deps = page.deps(task)
        if len(deps) > 1 and (edges := [edge for edge, dep in enumerate(deps) if not self._can_be_had(dep)]):
            self.reading = task
            return FetchMarks(task, edges)
        self._wait_for_inputs(task, deps)
        return None

    def _wait_for_inputs(self, task: int, deps: list[int]) -> None:
        """It is known what can be had of a task's inputs; it counts among the users of all."""
        self.reading = None
        self._expand.pop()
        for parent in deps:
            self._holdings.expect(parent)
        self._wait_for(task, [parent for parent in deps if not self._can_be_had(parent)])

    def _wait_for(self, task: int, parents: list[int]) -> None:
        self._pending[task] = len(parents)
        for parent in parents:
            self._users.setdefault(parent, []).append(task)
        self._look.extend(parents)
        if not parents:
            self._ready.append(task)

    def _arrived(self, task: int) -> None:
        """A value can be had."""
        for user in self._users.pop(task, ()):
            self._pending[user] -= 1
            if not self._pending[user]:
                self._ready.append(user)

    def _run(self, task: int) -> RunTask | Fetch | None:
        """Run a task, or bring its inputs here; nothing if one of them turned out to be lost."""
        deps = self._pages.of(task).deps(task)
        absent = self._holdings.absent(deps)
        if not absent:
            self.running = task
            return RunTask(task, deps)
        values = [(parent, mark) for parent in absent if (mark := self.readable(parent)) is not None]
        if len(values) == len(absent):
            return Fetch(values)
        self._ready.pop()
        self._wait_for(task, [parent for parent in absent if self.readable(parent) is None])
        return None
