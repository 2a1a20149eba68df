"""The walk: how one executor makes its way through a graph. A pure state machine: no I/O, no clock, no threads.

Theory of operation
===================

A walk owns *ready* tasks and runs them newest first (depth first), so that what was just computed is used while it is
in memory. A finished task's out-edges are counted here first:

* a child with one parent is ready at once;
* a fan-in collects its local arrivals; when all its parents ran here it is ready with no I/O (local elision);
* a fan-in that is incomplete when the ready tasks run dry, or whose oldest arrival is a beat old, is *reported*.

A report is answered per child. *Claimed*: this walk owns the child now, and is told where the other inputs are.
*Taken*: somebody else owns it. *Not yet*: others will complete it, so every value has to be readable: the values that
were only offered are stored, and the fan-in is reported again with their marks. Then the walk forgets it.

On a beat the oldest part of the ready tasks may be given away: the policy says in how many pieces.

Values. The walk never sees one; it knows which are *here* (in memory) and which have a *mark* (can be read by
anybody). `uses` counts for each value here the edges that may still need it here, plus one while a result is not
committed; at zero the value is dropped. An edge is settled when its child ran here, was given away, was taken, or when
the edge's mark is in the store.

Two threads drive a walk, under one lock: the main one asks `next` and runs tasks; the beat's asks `background`. At
most one instruction that talks to the stores about fan-ins and pieces is out at a time (`_busy`), so that the walk
never ends while an answer is still to come.

The work of a holder that is not the first: roots = entries + claims - what was given away. What a claim needs has a
mark, or was only in the former holder's memory; then its task is among what is run again. So such claims are held back
until all else is done, the smallest first, and meanwhile nothing is given away.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from math import inf
from typing import Protocol

from wukong.engine.fan_ins import REPORT_EDGES, FanIns
from wukong.engine.instructions import (
    Fetch,
    FetchMarks,
    FetchPages,
    Instruction,
    Offload,
    Piece,
    Renew,
    Report,
    ReportAnswer,
    RunTask,
    Stop,
    Store,
    Wait,
)
from wukong.graph.page_index import page_of

#: Pages fetched ahead, in one round trip.
PAGES_AHEAD = 8

#: Ready tasks that are looked at for pages to fetch ahead.
LOOK_AHEAD = 4096

#: Weight of the newest task in the running mean of durations.
NEWEST = 0.2


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


class Policy(Protocol):
    """What decides how work spreads."""

    def on_beat(self, waiting: int, room: int, task_seconds: float, aged: bool) -> int:
        """How many pieces to give away now."""


@dataclass(slots=True)
class _Claim:
    """A claimed fan-in: the edges that arrived here, and the marks of the others (None: to be read).

    Until the marks are read, a holder that is not the first one adds the edges whose parents it runs again.
    """

    local: set[int]
    marks: list[tuple[int, bytes]] | None


class Walk:
    """One holder's walk; see the module. Times are seconds of any steady clock."""

    def __init__(self, policy: Policy, first_tasks: Sequence[int], beat: float, room: int) -> None:
        self._policy = policy
        self._first_tasks = first_tasks
        self._beat = beat
        #: Values to remove from memory; the shell empties it after each call.
        self.dropped: list[int] = []
        self._room = room
        self._ready: deque[int] = deque()
        self._preparing: int | None = None  # the task that the main thread fetches pages, marks or inputs for
        self._known: set[int] = set()  # tasks that are ready, running or finished here
        self._pages: dict[int, Page] = {}  # by index
        self._here: set[int] = set()
        self._marks: dict[int, bytes] = {}
        self._uses: dict[int, int] = {}
        self._fan_ins = FanIns()
        self._claims: dict[int, _Claim] = {}
        self._held: list[int] = []  # claims of a former holder, until nothing else is left to do; the next one is last
        self._unread: dict[int, list[int]] = {}  # by page that is not loaded: owned tasks whose inputs come by mark
        self._inputs: dict[int, bytes] = {}  # the record's, for its entries
        self._leaves: set[int] = set()  # entries known to need no inputs, whether their page is loaded or not
        self._results: list[int] = []
        self._results_since = 0.0
        self._to_store: list[tuple[int, int]] = []  # fan-in, parent
        self._offloads: dict[int, list[Piece]] = {}
        self._sequence = 0
        self._busy = False
        #: Nothing is left to do, or nothing of it counts any more.
        self.ended = False
        self._task_seconds = 0.0
        self._oldest_at_beat: int | None = None
        self._offload_again = False  # the pages that a cut needed were fetched first
        self._last_report = 0.0

    # What the holder starts with.

    def begin(
        self,
        entries: Sequence[int],
        claims: Iterable[int] = (),
        given: Iterable[int] = (),
        inputs: Iterable[tuple[int, bytes]] = (),
    ) -> None:
        """Take over a record: roots = entries + claims - given."""
        self._inputs.update(inputs)
        self._known.update(given)  # somebody else's, also where this walk comes by again
        self._held = sorted(set(claims) - self._known, reverse=True)
        self._known.update(self._held)
        self._claims.update((child, _Claim(set(), None)) for child in self._held)
        roots = [task for task in reversed(entries) if task not in self._known]
        self._known.update(roots)
        self._ready.extend(roots)
        if self._inputs:
            for task in roots:
                self._unread.setdefault(self._page_index(task), []).append(task)
        else:
            self._leaves.update(roots)

    # The main thread.

    def next(self, now: float) -> Instruction:
        """What the main thread shall do. `Wait` until the other thread's answer came, if there is nothing."""
        if self.ended:
            return Stop()
        task = self._preparing
        if task is None and self._ready:
            task = self._ready.pop()
        if task is not None:
            # Until it runs it is neither waiting nor running: what it needs is on its way here.
            self._preparing = task
            page = self._pages.get(self._page_index(task))
            if page is None:
                return FetchPages(self._pages_wanted(task))
            deps = page.deps(task)
            if task in self._claims:
                local = self._claims[task].local
                return FetchMarks(task, [edge for edge in range(len(deps)) if edge not in local])
            if missing := self._missing(task, page, deps):
                return Fetch(missing)
            self._preparing = None
            return RunTask(task, deps)
        if self._busy:
            return Wait()
        if instruction := self._store_or_report(now, dry=True):
            return instruction
        if self._held:
            child = self._held.pop()
            self._own(child, self._claims[child])
            return self.next(now)
        return self._send(Report([], [], end=True), now)

    def task_finished(self, task: int, seconds: float, now: float) -> None:
        """A task's value is in memory; `seconds` is how long it ran."""
        self._task_seconds += (seconds - self._task_seconds) * (NEWEST if self._task_seconds else 1.0)
        page = self._pages[self._page_index(task)]
        out = page.out(task)
        uses = len(out)
        if task in page.sinks:
            if not self._results:
                self._results_since = now
            self._results.append(task)
            uses += 1
        self._here.add(task)
        self._uses[task] = self._uses.get(task, 0) + uses
        for parent in page.deps(task):
            self._settle(parent)
        newly_ready = None
        for child, edge, need in out:
            if child in self._known:
                claim = self._claims.get(child)
                if claim is not None and claim.marks is None:
                    claim.local.add(edge)
                else:
                    self._uses[task] -= 1
            elif need == 1 or self._fan_ins.arrive(child, edge, need, task, now):
                self._known.add(child)
                if newly_ready is None:
                    newly_ready = [child]
                else:
                    newly_ready.append(child)
        if newly_ready is not None:
            newly_ready.reverse()
            self._ready.extend(newly_ready)
        if not self._uses[task]:
            self._drop(task)

    def pages_loaded(self, pages: Iterable[Page]) -> None:
        """Pages that were asked for, or that came with the start."""
        for page in pages:
            index = self._page_index(page.first)
            self._pages[index] = page
            for task in self._unread.pop(index, ()):
                self._expect_inputs(task, page)

    def fetched(self, tasks: Iterable[int]) -> None:
        """Values are in memory."""
        self._here.update(tasks)

    def marks_read(self, child: int, marks: Iterable[tuple[int, bytes]]) -> None:
        """Where the other inputs of a claimed fan-in are."""
        self._claims[child].marks = list(marks)
        self._expect_inputs(child, self._pages[self._page_index(child)])

    # The beat's thread.

    def background(self, now: float, running_for: float, tick: bool) -> Instruction | None:
        """What the beat's thread shall do, if anything. `tick` is true on the beat, false when an answer came back.

        Args:
            now: The time.
            running_for: How long the main thread's task has been running.
            tick: Whether this is a beat.
        """
        if self.ended:
            return None
        if self._busy:
            return Renew() if tick and now - self._last_report >= self._beat else None
        if due := self._store_or_report(now, dry=False):
            return due
        if tick or self._offload_again:
            self._offload_again = False
            if cut := self._offload(running_for):
                return cut
            if now - self._last_report >= self._beat:
                return self._send(Report([], [], end=False), now)
        return None

    # Answers to either thread.

    def reported(self, results: Iterable[int], answers: Iterable[ReportAnswer], room: int, ended: bool) -> None:
        """A report was answered."""
        self._busy = False
        self._room = room
        self.ended = self.ended or ended
        fan_ins = self._fan_ins
        fan_ins.answered()
        for task in results:
            self._settle(task)
        for answer in answers:
            child = answer.child
            if answer.verdict == "C":
                self._own(child, _Claim(set(fan_ins.close(child)), answer.marks))
            elif answer.verdict == "T":
                for parent in fan_ins.close(child).values():
                    self._settle(parent)
            else:
                for parent in fan_ins.marked(child, answer.marked):
                    self._settle(parent)
                if fan_ins.completed(child):
                    self._known.add(child)
                    self._ready.append(child)
                else:
                    self._to_store.extend((child, parent) for parent in fan_ins.offered(child, answer.offered))

    def stored(self, marks: Iterable[tuple[int, bytes]]) -> None:
        """Values are in the KVS."""
        self._busy = False
        for task, mark in marks:
            self._marks[task] = mark
            self._settle(task)

    def offloaded(self, sequence: int, accepted: int, marks: Iterable[tuple[int, bytes]]) -> None:
        """The first `accepted` pieces of an offload have other owners now; the others come back."""
        self._busy = False
        pieces = self._offloads.pop(sequence)
        self._room = self._room - accepted if accepted == len(pieces) else 0
        self._marks.update((task, mark) for task, mark in marks if task in self._here)
        for piece in pieces[:accepted]:
            for task in piece.entries:
                page = self._pages.get(self._page_index(task))
                for parent in page.deps(task) if page else ():
                    self._settle(parent)
        for piece in pieces[accepted:]:
            self._ready.extendleft(piece.entries)

    def stopped(self) -> None:
        """The job is over, or the record has another holder: nothing of this walk counts any more."""
        self.ended = True

    # Inside.

    def _page_index(self, task: int) -> int:
        return page_of(task, self._first_tasks)

    def _pages_wanted(self, task: int) -> list[int]:
        """The page of the next task, and those of tasks after it that are missing too."""
        wanted: dict[int, None] = {self._page_index(task): None}
        for task in islice(reversed(self._ready), LOOK_AHEAD):
            index = self._page_index(task)
            if index not in self._pages:
                wanted[index] = None
                if len(wanted) == PAGES_AHEAD:
                    break
        return list(wanted)

    def _missing(self, task: int, page: Page, deps: Sequence[int]) -> list[tuple[int, bytes]]:
        """Inputs of an owned task that are not in memory, with their marks."""
        if page.inputs and (mark := page.inputs.get(task)) is not None:
            self._marks[task] = mark
        return [(parent, self._mark(parent)) for parent in deps if parent not in self._here]

    def _mark(self, parent: int) -> bytes:
        mark = self._marks.get(parent)
        return self._inputs[parent] if mark is None else mark

    def _own(self, task: int, claim: _Claim) -> None:
        """A claimed task is ready here."""
        self._known.add(task)
        self._ready.append(task)
        self._claims[task] = claim
        index = self._page_index(task)
        if (page := self._pages.get(index)) is not None:
            self._expect_inputs(task, page)
        else:
            self._unread.setdefault(index, []).append(task)

    def _expect_inputs(self, task: int, page: Page) -> None:
        """Count an owned task among the uses of the inputs that come by mark.

        It is counted as early as its page is known, so that a value with several such uses is fetched once.
        """
        deps = page.deps(task)
        claim = self._claims.get(task)
        if claim is None:
            for parent in deps:
                self._uses[parent] = self._uses.get(parent, 0) + 1
            return
        if claim.marks is None:
            if len(claim.local) < len(deps):
                return
            claim.marks = []
        del self._claims[task]
        for edge, mark in claim.marks:
            if edge in claim.local:
                continue  # somebody else ran the parent too
            parent = deps[edge]
            self._uses[parent] = self._uses.get(parent, 0) + 1
            self._marks.setdefault(parent, mark)

    def _settle(self, parent: int) -> None:
        """One edge fewer needs this value here."""
        left = self._uses[parent] - 1
        if left:
            self._uses[parent] = left
        else:
            self._drop(parent)

    def _drop(self, task: int) -> None:
        del self._uses[task]
        self._marks.pop(task, None)
        if task in self._here:
            self._here.remove(task)
            self.dropped.append(task)

    def _store_or_report(self, now: float, dry: bool) -> Store | Report | None:
        if self._to_store and (store := self._store()):
            return store
        due = inf if dry else now - self._beat
        arrivals, complete = self._fan_ins.report(now, due, self._marks)
        results: list[tuple[int, bytes | None]] = []
        if self._results and (self._results_since <= due or arrivals):
            results = [(task, self._marks.get(task)) for task in self._results[:REPORT_EDGES]]
            del self._results[:REPORT_EDGES]
            complete = complete and not self._results
        if not arrivals and not results:
            return None
        return self._send(Report(arrivals, results, end=dry and complete and not self._held), now)

    def _store(self) -> Store | None:
        """Write what was offered in vain, unless it is stored, or was not needed any more, meanwhile."""
        together: dict[int, list[int]] = {}
        tasks: dict[int, None] = {}
        for child, task in self._to_store:
            if task in self._here and task not in self._marks and task not in tasks:
                tasks[task] = None
                if self._uses[task] == 1:
                    together.setdefault(child, []).append(task)
        self._to_store.clear()
        if not tasks:
            return None
        self._busy = True
        for task in tasks:
            self._uses[task] += 1  # it stays in memory while it is written
        return Store(list(tasks), [group for group in together.values() if len(group) > 1])

    def _send(self, report: Report, now: float) -> Report:
        self._busy = True
        self._last_report = now
        return report

    def _offload(self, running_for: float) -> Offload | FetchPages | None:
        """Cut the oldest part of the ready tasks into as many pieces as the policy says."""
        if self._held:
            return None  # what is ready may lead to an input of a claim, and nobody else's arrival would count there
        oldest = self._ready[0] if self._ready else None
        aged = oldest is not None and oldest == self._oldest_at_beat
        self._oldest_at_beat = oldest
        waiting = len(self._ready)
        count = self._policy.on_beat(waiting, self._room, max(self._task_seconds, running_for), aged)
        if count <= 0:
            return None
        amount = waiting - max(0, (waiting + 1) // (count + 1) - 1)
        if unknown := self._unknown_pages(islice(self._ready, amount)):
            self._offload_again = True
            self._oldest_at_beat = oldest if aged else None
            return FetchPages(unknown)
        taken = [self._ready.popleft() for _ in range(amount)]
        given = sorted(task for task in taken if task not in self._claims)
        self._ready.extendleft(task for task in reversed(taken) if task in self._claims)
        if not given:
            return None
        size, rest = divmod(len(given), count)
        cuts = [i * size + min(i, rest) for i in range(count + 1)]
        pieces = [self._piece(given[a:b]) for a, b in pairwise(cuts) if a < b]
        self._sequence += 1
        self._offloads[self._sequence] = pieces
        self._busy = True
        return Offload(self._sequence, pieces)

    def _unknown_pages(self, tasks: Iterable[int]) -> list[int]:
        """Pages that have to be here before it is known what these tasks need; leaves need nothing."""
        wanted: dict[int, None] = {}
        for task in tasks:
            if task not in self._leaves and (index := self._page_index(task)) not in self._pages:
                wanted[index] = None
        return list(wanted)

    def _piece(self, entries: list[int]) -> Piece:
        inputs: dict[int, bytes | None] = {}
        for task in entries:
            if (page := self._pages.get(self._page_index(task))) is not None:
                for parent in page.deps(task):
                    inputs[parent] = self._marks.get(parent) or self._inputs.get(parent)
        return Piece(entries, list(inputs.items()))
