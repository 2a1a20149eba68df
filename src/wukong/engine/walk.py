"""The walk: how one executor makes its way through a graph. A pure state machine: no I/O, no clock, no threads.

Theory of operation
===================

A walk owns *ready* tasks and runs them newest first (depth first), so that what was just computed is used while it is
in memory. A finished task's out-edges are counted here first:

* a child with one parent is ready at once;
* a fan-in collects its local arrivals; when all its parents ran here it is ready with no I/O (local elision);
* a fan-in that is incomplete when the ready tasks run dry, or whose oldest arrival is a beat old, is *reported*;
  `wukong.engine.patience` says when that takes longer than a beat.

A report is answered per child. *Claimed*: this walk owns the child now, and is told where the other inputs are.
*Taken*: somebody else owns it. *Not yet*: others will complete it, so every value has to be readable: the values that
were only offered are stored, and the fan-in is reported again with their marks. Then the walk forgets it.

On a beat the oldest part of the ready tasks may be given away: the policy says in how many pieces.

A policy that spreads work *at once* waits for no beat. Of the children that a finished task made ready it keeps some;
the others are *giving*: before anything else runs, what arrived at fan-ins is reported and a record is made for each
of these tasks. They run here only where the job has no room for another record. A fan-in that an offered large value
waits for is asked about again a few times, at a distance, before that value is stored; a walk with nothing else to do
waits for that.

A walk that is short of time *hands over*: it runs nothing more, reports what arrived, gives all that is ready away as
one piece, and ends. What it claims by that is ready too, and so are the claims of a former holder: whoever gets them
computes again what of their inputs nobody has. A task that still runs when time is all but over is *given up*: it is
handed over too, and what it gives here does not count.

Values. The walk never sees one; `wukong.engine.holdings` knows which are here, and who still needs them.

Two threads drive a walk, under one lock: the main one asks `next` and runs tasks; the beat's asks `background`. At
most one instruction that talks to the stores about fan-ins and pieces is out at a time (`_busy`), so that the walk
never ends while an answer is still to come.

The work of a holder that is not the first: roots = entries + claims - what was given away. What a claim needs has a
mark, or was only in the former holder's memory; then its task is mostly among what is run again. So such claims are
held back until all else is done, the smallest first, and meanwhile nothing is given away.

Values that nobody can read any more are computed again; `wukong.engine.pulls` says how. A walk that *restores* does
that for results that were lost after they were committed: they are its entries, and it commits them again. They ran
before, so they are read or pulled, and make nothing ready.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from math import inf

from wukong.engine.claim import Claim
from wukong.engine.cuts import Cuts
from wukong.engine.durations import Durations
from wukong.engine.fan_ins import REPORT_EDGES, FanIns
from wukong.engine.giving import Giving
from wukong.engine.holdings import Holdings
from wukong.engine.instructions import (
    Fetch,
    FetchMarks,
    FetchPages,
    Heal,
    Instruction,
    Offload,
    Renew,
    Report,
    ReportAnswer,
    RunTask,
    Stop,
    Store,
    Wait,
)
from wukong.engine.offloads import Offloads
from wukong.engine.owned import Owned
from wukong.engine.pages import Page, Pages
from wukong.engine.patience import Patience
from wukong.engine.policy.policy import Policy
from wukong.engine.pulls import Pulls
from wukong.engine.results import Results

#: Records made in one step, under a policy that gives work away at once.
PIECES_AT_ONCE = 500


class Walk:
    """One holder's walk; see the module. Times are seconds of any steady clock."""

    def __init__(self, policy: Policy, first_tasks: Sequence[int], beat: float, room: int) -> None:
        self._policy = policy
        self._at_once = policy.at_once or not policy.delays
        self._lean = policy.lean
        self._beat = beat
        self._holdings = Holdings()
        #: Values to remove from memory; the shell empties it after each call.
        self.dropped = self._holdings.dropped
        self._room = room
        self._ready: deque[int] = deque()
        self._for_others = Giving(policy, self._holdings)
        self._giving = self._for_others.tasks
        self._current: int | None = None  # what the main thread runs, or fetches pages, marks or inputs for
        self._known: set[int] = set()  # tasks that are ready, running or finished here
        self._pages = Pages(first_tasks)
        #: Values that are lost; the shell answers to it.
        self.pulls = Pulls(self._pages, self._holdings)
        self._fan_ins = FanIns(self._at_once, policy.elides)
        self._owned = Owned(self._pages, self._holdings)
        self._claims = self._owned.claims
        self._held: list[int] = []  # claims of a former holder, until nothing else is left to do; the next one is last
        self._leaves: set[int] = set()  # entries known to need no inputs, whether their page is loaded or not
        self._results = Results(self._holdings, policy.lean)
        self._offloads = Offloads(self._pages, self._holdings)
        self._busy = False
        #: Nothing is left to do, or nothing of it counts any more.
        self.ended = False
        #: What tasks take; the shell knows what the user expects.
        self.durations = Durations()
        self._cuts = Cuts(policy, self._pages, self._claims, self.durations)
        #: How long others wait; the shell says how full memory is.
        self.patience = Patience(policy, beat, room)
        self._last_report = 0.0
        self._untold = False  # a task ran that no report has told of, where others may end the job by what is given
        self._running = False  # the main thread runs `_current`, or a pulled task
        self._handing_over = False
        self._given_up = False  # the running task is: the beat's thread hands over, and nothing of the main one counts

    # What the holder starts with.

    def begin(
        self,
        entries: Sequence[int],
        claims: Iterable[int] = (),
        given: Iterable[int] = (),
        inputs: Iterable[tuple[int, bytes]] = (),
        restores: bool = False,
    ) -> None:
        """Take over a record: roots = entries + claims - given. `restores`: its entries are results that were lost."""
        self._holdings.restores = restores
        needed = dict(inputs)
        self._holdings.inputs.update((task, mark) for task, mark in needed.items() if mark)
        self._known.update(given)  # somebody else's, also where this walk comes by again
        self._held = sorted(set(claims) - self._known, reverse=True)
        self._known.update(self._held)
        self._claims.update((child, Claim(set(), None)) for child in self._held)
        roots = [task for task in reversed(entries) if task not in self._known]
        self._known.update(roots)
        if needed:
            for task in roots:
                self._owned.add(task)
        else:
            self._leaves.update(roots)
        self._ready.extend(self._for_others.start(roots) if self._at_once else roots)

    # The main thread.

    def next(self, now: float) -> Instruction:
        """What the main thread shall do. `Wait` if there is nothing before the other thread's answer, or some time."""
        if self.ended:
            return Stop()
        if self._handing_over:
            return Wait() if self._given_up else self._hand_over(now)
        if self._at_once and not self._busy and (instruction := self._spread(now)):
            return instruction
        task = self._current
        if task is None and self._lean and (instruction := self._lighten(now)):
            return instruction
        if task is None and self._ready:
            task = self._ready.pop()
        if task is not None:
            # Until it runs it is neither waiting nor running: what it needs is on its way here.
            self._current = task
            page = self._pages.get(task)
            if page is None:
                return FetchPages(self._pages.wanted(task, self._ready))
            deps = self._holdings.needs(task, page)
            if task in self._claims:
                return self._owned.read_marks(task, deps)
            if page.inputs and not self._holdings.restores and (mark := page.inputs.get(task)) is not None:
                self._holdings.marks[task] = mark
            absent = self._holdings.absent(deps)
            if absent or self.pulls.untold:
                return self._bring(absent, now)
            if self._holdings.restores:
                return self._restored(task, now)
            self._running = True
            return RunTask(task, deps)
        if self._busy:
            return Wait()
        if self._giving:  # and nobody to take it
            self._ready.append(self._giving.pop())
            return self.next(now)
        if instruction := self._store_or_report(now, dry=True):
            return instruction
        if self._held:
            child = self._held.pop()
            self._owned.claimed(child, self._claims[child])
            self._ready.append(child)
            return self.next(now)
        if (due := self._fan_ins.next_due()) is not None:
            return Wait(due - now)
        return self._send(Report([], [], end=True), now)

    @property
    def preparing(self) -> int:
        """The task whose page, marks or inputs the main thread gets now; -1 where it does something else."""
        return -1 if self._current is None else self._current

    @property
    def busy(self) -> bool:
        """Whether an instruction that talks to the stores about fan-ins and pieces is out."""
        return self._busy

    def hand_over(self) -> None:
        """Time is short: nothing more runs here."""
        self._handing_over = self._untold = True
        self.pulls.give_up()
        if self._current is not None:
            self._ready.append(self._current)
            self._current = None
        self._ready.extend(self._held)
        self._held.clear()

    def give_up(self) -> bool:
        """Time is short in the middle of a task: it is handed over too, if one runs; returns whether that is so.

        The beat's thread then does what there is to do.
        """
        if not self._running or self._handing_over or self.ended:
            return False
        self._given_up = True
        self.hand_over()
        return True

    def task_finished(self, task: int, seconds: float, now: float, large: bool = False) -> None:
        """A task's value is in memory; `seconds` is how long it ran. Whether it is `large` counts for some policies."""
        if self._given_up:
            self.dropped.append(task)
            return
        self._running = False
        self.durations.ran(seconds)
        if self.pulls.running == task:
            self.pulls.finished(task)
            return
        self._current = None
        page = self._pages.of(task)
        out = page.out(task)
        uses = len(out)
        if task in page.sinks:
            self._results.add(task, now)
            uses += 1
        holdings = self._holdings
        holdings.here.add(task)
        counts = holdings.uses
        counts[task] = counts.get(task, 0) + uses
        for parent in page.deps(task):
            holdings.settle(parent)
        newly_ready = None
        for child, edge, need in out:
            if child in self._known:
                claim = self._claims.get(child)
                if claim is not None and claim.marks is None:
                    claim.local.add(edge)
                else:
                    counts[task] -= 1
            elif need == 1 or self._fan_ins.arrive(child, edge, need, task, now):
                self._known.add(child)
                if newly_ready is None:
                    newly_ready = [child]
                else:
                    newly_ready.append(child)
        if self._at_once:
            self._untold = True
            self._ready.extend(self._for_others.fan_out(task, out, newly_ready or [], large))
        elif newly_ready is not None:
            newly_ready.reverse()
            self._ready.extend(newly_ready)
        if not counts[task]:
            holdings.drop(task)
        if self._lean:
            if out and task in holdings.uses:
                holdings.write(out[0][0], [task])
            if task in page.sinks:
                holdings.results.add(task)
            self._leave()

    def pages_loaded(self, pages: Iterable[Page]) -> None:
        """Pages that were asked for, or that came with the start."""
        for page in pages:
            self._owned.page_loaded(self._pages.add(page), page)

    def fetched(self, tasks: Iterable[int]) -> None:
        """Values are in memory."""
        self._holdings.here.update(tasks)

    def marks_read(self, child: int, marks: Iterable[tuple[int, bytes]]) -> None:
        """Where the other inputs of a fan-in are, as far as that is known."""
        if self.pulls.reading == child:
            self.pulls.marks_read(marks)
            return
        claim, page, found = self._claims[child], self._pages.of(child), list(marks)
        if self._handing_over or child == self._current or len(claim.local) + len(found) == len(page.deps(child)):
            claim.marks = found
            self._owned.expect_inputs(child, page)
        else:  # who computes the others again runs it too, and reads the marks when it comes to that
            self._giving.remove(child)
            self._ready.append(child)

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
        if self._given_up and not self._busy:
            return self._hand_over(now)
        if self._busy or self._handing_over:
            return Renew() if tick and now - self._last_report >= self._beat else None
        if due := self._store_or_report(now, dry=False):
            return due
        if given := self._give(now, main=False):
            return given
        if tick or self._cuts.unfinished:
            if cut := self._cut(running_for):
                return cut
            if now - self._last_report >= self._beat:
                return self._send(Report([], [], end=False), now)
        return None

    # Answers to either thread.

    def reported(
        self,
        results: Iterable[int],
        answers: Iterable[ReportAnswer],
        room: int,
        ended: bool,
        marks: Iterable[tuple[int, bytes]] = (),
        large: Iterable[int] = (),
    ) -> None:
        """A report was answered. `marks` are of values that were stored for it; some that it offered are `large`."""
        self._busy = False
        self._room = room
        self.ended = self.ended or ended
        fan_ins, holdings = self._fan_ins, self._holdings
        holdings.marks.update((task, mark) for task, mark in marks if task in holdings.here)
        holdings.large.update(task for task in large if task in holdings.here)
        fan_ins.answered()
        self._results.committed(results)
        self._leave()
        for answer in answers:
            child = answer.child
            if answer.verdict == "C":
                local = fan_ins.close(child)
                self._known.add(child)
                self._owned.claimed(child, Claim(set(local), answer.marks))
                self._queue(child, local.values())
            elif answer.verdict == "T":
                for parent in fan_ins.close(child).values():
                    holdings.settle(parent)
            else:
                for parent in fan_ins.marked(child, answer.marked):
                    holdings.settle(parent)
                if parents := fan_ins.completed(child):
                    self._known.add(child)
                    self._queue(child, parents)
                elif parents := fan_ins.offered(child, answer.offered):
                    self._not_yet(child, parents)

    def stored(self, marks: Iterable[tuple[int, bytes]]) -> None:
        """Values are in the KVS."""
        self._busy = False
        for task, mark in marks:
            self._holdings.marks[task] = mark
            self._holdings.settle(task)
        self._leave()

    def offloaded(self, sequence: int, accepted: int, marks: Iterable[tuple[int, bytes]]) -> None:
        """The first `accepted` pieces of an offload have other owners now; the others come back."""
        self._busy = False
        returned = self._offloads.answered(sequence, accepted, marks)
        self._room = 0 if returned else self._room - accepted
        back = self._giving if self._policy.at_once else self._ready
        for piece in returned:
            back.extendleft(piece.entries)

    def stopped(self) -> None:
        """The job is over, or the record has another holder: nothing of this walk counts any more."""
        self.ended = True

    # Inside: inputs.

    def _bring(self, absent: list[int], now: float) -> Instruction:
        """Read values that the next task needs, or compute again those that cannot be read."""
        if instruction := self.pulls.next(now):
            self._running = self.pulls.running is not None
            return instruction
        if values := [(task, mark) for task in absent if (mark := self.pulls.readable(task)) is not None]:
            return Fetch(values)
        self.pulls.want(absent)
        return self._bring(absent, now)

    def _restored(self, task: int, now: float) -> Instruction:
        """A result that was lost is here again, and so may others be that it is made of: they are committed."""
        self._current, tasks = None, [task]
        while self._ready and (after := self._ready[-1]) in self._holdings.here and self._pages.get(after):
            tasks.append(self._ready.pop())
        self._results.restored([(task, self.pulls.readable(task)) for task in tasks], now)
        self._leave()
        return self.next(now)

    # Inside: reports.

    def _store_or_report(self, now: float, dry: bool) -> Store | Report | None:
        if store := self._holdings.store():
            self._busy = True
            return store
        until = inf if dry else self.patience.since(now, self._room)
        if self._at_once and not self._handing_over:
            until = now
        arrivals, complete = self._fan_ins.report(now, until, self._holdings.marks)
        results = self._results.take(inf if dry or arrivals else now - self._beat, REPORT_EDGES)
        if not arrivals and not results:
            return None
        end = dry and complete and not (self._results or self._held or self._ready or self._giving)
        return self._send(Report(arrivals, results, end), now)

    def _leave(self) -> None:
        """Have values leave memory, in a lean walk: if a task runs or others are computed again, when that is over."""
        if self._lean and self._current is None and self.pulls.idle:
            self._holdings.lighten()

    def _lighten(self, now: float) -> Instruction | None:
        """Have outputs stored and results committed before anything else runs, in a lean walk."""
        return Wait() if self._busy else self._store_or_report(now, dry=False)

    def _send(self, report: Report, now: float) -> Report:
        self._busy = True
        self._untold = False
        self._last_report = now
        return report

    def _not_yet(self, child: int, offered: list[int]) -> None:
        """Others will complete a fan-in for which only offers were made."""
        fan_ins = self._fan_ins
        if not self._handing_over:
            large = not self._holdings.large.isdisjoint(offered)
            idle = self._room > 0 or (self._current is None and not self._ready)
            pause = self.patience.pause(fan_ins.polled(child), fan_ins.has_last(child), large, idle)
            if pause is not None:
                fan_ins.ask_later(child, pause)
                return
        fan_ins.hurry(child)
        self._holdings.write(child, offered)

    # Inside: work for others.

    def _queue(self, child: int, local: Iterable[int]) -> None:
        """A fan-in is ready, with some inputs in memory: for this walk, or for somebody else."""
        waiting = len(self._ready) + (self._current is not None)
        if not self._at_once or self._for_others.claimed(child, local, waiting):
            self._ready.append(child)

    def _spread(self, now: float) -> Instruction | None:
        """Report and give away before anything else. When nothing is left to run, the dry report does it."""
        if self._current is None and not self._ready and not self._giving:
            return None
        return self._store_or_report(now, dry=False) or self._give(now, main=True)

    def _give(self, now: float, main: bool) -> Offload | Report | FetchPages | FetchMarks | None:
        """Give away what is for somebody else, as far as there is room. Marks are read by the main thread only."""
        if not self._giving or self._room <= 0 or self._held:
            return None
        tasks = list(islice(self._giving, min(self._room, PIECES_AT_ONCE)))
        if unknown := self._owned.unknown(tasks, self._leaves):
            return unknown if main or type(unknown) is FetchPages else None
        if self._untold and self._current is None and not self._ready:
            # Nothing stays here: others may end the job before this walk has told what ran, and what it printed.
            return self._send(Report([], [], end=False), now)
        for _ in tasks:
            self._giving.popleft()
        return self._offload([[task] for task in reversed(tasks)])

    def _cut(self, running_for: float) -> Offload | FetchPages | None:
        """Cut the oldest part of the ready tasks into as many pieces as the policy says."""
        if self._held:
            return None  # what is ready may lead to an input of a claim, and nobody else's arrival would count there
        held = len(self._holdings.here) - len(self._results)
        cut = self._cuts.cut(self._ready, self._room, running_for, held, self._leaves)
        return cut if isinstance(cut, FetchPages | None) else self._offload(cut)

    def _hand_over(self, now: float) -> Instruction:
        """Report what arrived, then give all that is ready away, then end."""
        if self._busy:
            return Wait()
        if self.pulls.untold:
            return Heal(self.pulls.untold[-1])
        if instruction := self._store_or_report(now, dry=True):
            return instruction
        tasks = sorted((*self._ready, *self._giving))
        if not tasks or self._untold:
            return self._send(Report([], [], end=not tasks), now)
        if unknown := self._owned.unknown(tasks, self._leaves):
            return unknown
        self._ready.clear()
        self._giving.clear()
        return self._offload([tasks], end=True)

    def _offload(self, groups: Iterable[Sequence[int]], end: bool = False) -> Offload:
        self._busy = True
        return self._offloads.give(groups, end)
