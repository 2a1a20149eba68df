"""The shell around the walk: runs tasks, carries out instructions against the stores and Lambda, keeps the clock.

Two threads share the walk under one lock. The main thread asks for the next instruction and runs tasks; the beat's
thread asks on every beat what can be done meanwhile: reports that are due, work to give away, the lease.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from time import perf_counter as clock
from typing import Any

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
    Seek,
    Store,
    Wait,
)
from wukong.engine.policy.careful import Careful
from wukong.engine.policy.named import policy_named
from wukong.engine.walk import Walk
from wukong.errors import ClusterUnavailable, InputLost, StoreFull, WukongError
from wukong.mds.counters import Counters
from wukong.mds.failure import Failure
from wukong.mds.phase import Phase
from wukong.mds.store import Begun, Status, Sync, Synced, TaskTime, Verdict
from wukong_executor import failures, late
from wukong_executor.acknowledged import Acknowledged
from wukong_executor.attempts import Attempts, TaskRaised
from wukong_executor.current_task import CurrentTask
from wukong_executor.environment import Environment
from wukong_executor.failures import ValueStuck
from wukong_executor.garbage import Garbage
from wukong_executor.interruption import Interrupted, Interruption
from wukong_executor.lease import Lease
from wukong_executor.memory import INLINE_BYTES, Memory
from wukong_executor.offloading import Offloading
from wukong_executor.output import Output
from wukong_executor.programs import Programs
from wukong_executor.reporter import report
from wukong_executor.resending import send_again
from wukong_executor.resident import Resident
from wukong_executor.retrying import Retrying
from wukong_executor.room import Room
from wukong_executor.size import estimated_bytes
from wukong_executor.tally import Tally
from wukong_executor.time_left import TimeLeft
from wukong_executor.timesheet import Slowest, Timesheet

#: Seconds that stored values outlive the job's deadline.
GRACE = 900

#: The part of the function's memory in which values that were dropped may stay.
RECENT_SHARE = 0.25

#: Holders of a record that work as ever. Those after them keep less in memory and give more away.
TRUSTED_HOLDERS = 2

#: What starting an executor costs, as a part of the beat that was chosen as a few times that.
INVOCATION_OF_BEAT = 0.25


class Executor:
    """One holder at work on one record."""

    def __init__(
        self,
        environment: Environment,
        job: str,
        record: str,
        token: str,
        begun: Begun,
        pages: Sequence[int],
        memory_limit: int,
        started: float,
        time_left: TimeLeft,
        before: Counters,
    ) -> None:
        """One holder.

        Args:
            environment: What it works with.
            job: The job.
            record: The record.
            token: The holder's.
            begun: What `begin` answered.
            pages: The indices of what `begun.pages` holds.
            memory_limit: Bytes that the function may use; 0 if unknown.
            started: When the invocation came, by `clock`.
            time_left: Until when it may go on, by `clock`.
            before: What the metadata store had moved before `begin`.
        """
        assert begun.ring is not None
        self._environment = environment
        self._mds = environment.mds
        self._kvs = environment.kvs(begun.ring)
        self._job = job
        self._lease = Lease(environment.mds, job, record, token, begun.generation, environment.lease_seconds)
        self._begun = begun
        self._pages = pages
        beat = environment.beat_seconds
        policy = policy_named(begun.policy, beat * INVOCATION_OF_BEAT, environment.large_bytes)
        careful = begun.begins > TRUSTED_HOLDERS
        if careful:
            policy = Careful(policy)
        self._large_bytes, self._delays = policy.large_bytes, policy.delays
        self._memory_limit = memory_limit
        environment.heap.keep(0 if careful else memory_limit)
        seconds = begun.seconds_left + GRACE
        wanted = weakref.WeakMethod(self._still_wanted)  # what holds values must not hold this, which holds them
        values = environment.values(begun.ring)
        self._garbage = Garbage(self._mds, values, job)
        self._memory = Memory(
            values,
            job,
            token,
            seconds,
            0 if careful else int(memory_limit * RECENT_SHARE),
            policy.inlines,
            Room(
                environment.full_seconds, lambda: (ask := wanted()) is not None and ask(), self._garbage.collect
            ).write,
        )
        self._offloading = Offloading(environment, self._memory, self._lease, begun, seconds)
        self._programs = Programs(self._mds, environment.signer, job, begun.first_tasks)
        self._current = CurrentTask(self._lease, self._programs.keys, begun.begins > 1, memory_limit)
        self._output = Output()
        self._interruption = Interruption()
        self._retrying = Retrying()
        self._times = Timesheet(started, clock)
        self._attempts = Attempts(
            self._memory, self._programs, self._interruption, self._retrying, self._times, environment.signer, job
        )
        self._acknowledged = Acknowledged(begun.claims, self._mds.reconnects)
        self._forgotten = False
        self._walk = Walk(policy, begun.first_tasks, beat, begun.parallelism - 1)
        self._walk.durations.expected = self._programs.seconds
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._stopping = threading.Event()
        self._beat_error: BaseException | None = None
        self._slowest = Slowest()
        self._resident = Resident(environment.heap.free)
        self._time_left = time_left
        self._given_up = False  # the running task is handed over
        #: Whether it met an error that nobody thought of: a task may have broken the environment.
        self.failed_unexpectedly = False
        self._tally = Tally(self._mds, self._kvs, self._offloading, self._times, memory_limit, before)

    def run(self) -> str:
        """Walk the record to its end; returns how it ended.

        What goes wrong for good ends the job at once, since another holder of the record would meet it too.

        Raises:
            ClusterUnavailable: A store did not answer. The record's lease runs out and the scheduler invokes it again.
        """
        signer, keys = self._environment.signer, self._programs.keys
        try:
            with self._output.captured(), self._interruption.installed():
                return self._run_threads()
        except TaskRaised as raised:
            return self._fail(raised.failure)
        except ValueStuck as stuck:
            key = keys.get(stuck.task, stuck.task)
            return self._fail(failures.of_value(signer, self._job, stuck.task, key, stuck.reason))
        except ClusterUnavailable:
            raise
        except StoreFull as full:
            return self._fail(failures.of_full(full, keys))
        except Exception as error:
            self.failed_unexpectedly = not isinstance(error, WukongError)
            task = self._current.running[0]
            return self._fail(failures.of_executor(error, task, keys.get(task, "")))

    @property
    def stopped(self) -> bool:
        """Whether it was told that nobody wants what it does: the job is over, or the record has another holder."""
        return self._interruption.wanted

    def _run_threads(self) -> str:
        """Both threads, until the main one has nothing left to do; what the beat's has under way ends first."""
        beat: Future[None] | None = None
        outcome = "ended"
        try:
            self._start()
            beat = self._environment.beats.submit(self._beat)
            self._work()
        except Interrupted:
            outcome = "stopped"
        finally:
            self._stopping.set()
            if beat is not None:
                beat.result()
            error, self._beat_error = self._beat_error, None  # its frames refer to this object
        if error is not None:
            raise error
        return outcome

    # The main thread.

    def _start(self) -> None:
        begun = self._begun
        self._walk.begin(begun.entries, begun.claims, begun.given, begun.inputs, begun.restores)
        if begun.pages:
            self._walk.pages_loaded(map(self._programs.open, self._pages, begun.pages))

    def _work(self) -> None:
        walk, memory = self._walk, self._memory.by_task
        programs = self._programs.by_task
        lock = self._lock
        output, begun = self._output, self._begun.begins
        times, slowest, tally, time_left = self._times, self._slowest, self._tally, self._time_left
        large_bytes, large = self._large_bytes, False
        task = -1
        with lock:
            instruction = walk.next(clock())
        if type(instruction) is RunTask:
            times.enter(Phase.RUNNING)
        while True:
            if type(instruction) is RunTask:
                task, inputs = instruction
                started = clock()
                if started + walk.durations.of(task) > time_left.until and tally.tasks_run:
                    with lock:
                        walk.hand_over()
                        instruction = walk.next(started)
                    continue
                self._current.running = (task, started)
                output.task = task
                if begun > 1:
                    self._announce(task)
                value = self._evaluate(task, programs[task], inputs)
                now = clock()
                seconds = now - started - self._attempts.paused
                if large_bytes is not None:
                    large = estimated_bytes(value) >= large_bytes
                with lock:
                    memory[task] = value
                    del value
                    tally.tasks_run += 1
                    if seconds > slowest.floor and programs[task] is not None:
                        slowest.add(task, seconds)
                    walk.task_finished(task, seconds, now, large)
                    if walk.dropped:
                        self._drop()
                    instruction = walk.next(now)
                continue
            self._current.running = (-1, clock())
            output.task = -1
            busy = walk.busy
            if begun > 1:
                preparing = walk.preparing
                # The value of the task that ran last may end this executor when it is packed, by whichever thread.
                packing = preparing < 0 and (busy or type(instruction) is not Wait)
                self._announce(task if packing else preparing)
            if type(instruction) is Wait:
                times.enter(Phase.WAITING)
                with lock:
                    while type(instruction := walk.next(clock())) is Wait and walk.busy is busy:
                        self._changed.wait(instruction.seconds)
            elif self._carry_out(instruction):
                with lock:
                    instruction = walk.next(clock())
            else:
                return
            if type(instruction) is RunTask:
                times.enter(Phase.RUNNING)

    def _announce(self, task: int) -> None:
        """Write for which task the next step is, or -1: an earlier holder died, and if this one does, of what?"""
        if self._current.is_announced(task):
            return
        self._times.enter(Phase.REPORTING)
        status = self._current.announce(task, self._resident.look()[0])
        self._times.enter(Phase.RUNNING)
        if status is not Status.OK:
            with self._lock:
                self._stop()

    def _evaluate(self, task: int, program: Any, inputs: Sequence[int]) -> Any:
        self._attempts.paused = 0.0
        if program is None:
            self._times.enter(Phase.READING)
            if self._memory.load([(task, self._programs.inputs[task])]):
                raise InputLost(self._current.name(task))
            self._times.enter(Phase.RUNNING)
            return self._memory.by_task[task]
        return self._attempts.run(task, program, inputs)

    # Instructions; either thread.

    def _carry_out(self, instruction: Instruction) -> bool:
        """Do it and tell the walk; false when there is nothing left to do."""
        match instruction:
            case FetchPages(indices):
                self._times.enter(Phase.REPORTING)
                pages = self._programs.fetch(indices)
                with self._lock:
                    self._walk.pages_loaded(pages)
            case Fetch(values):
                self._times.enter(Phase.READING)
                lost = set(self._memory.load(values))
                with self._lock:
                    self._walk.fetched([task for task, _ in values if task not in lost])
                    self._walk.pulls.lost(lost)
            case FetchMarks(child, edges):
                self._times.enter(Phase.REPORTING)
                found = zip(edges, self._mds.marks(self._job, self._begun.generation, child, edges), strict=True)
                with self._lock:
                    self._walk.marks_read(child, [(edge, mark) for edge, mark in found if mark is not None])
            case Seek(task, mark):
                self._times.enter(Phase.REPORTING)
                self._seek(task, mark)
            case Heal(task):
                self._heal(task)
            case Store(tasks, together):
                self._times.enter(Phase.WRITING)
                marks = self._memory.store_all(tasks, together)
                with self._lock:
                    self._walk.stored(marks)
                    self._drop()
            case Report():
                self._report(instruction)
            case Offload():
                self._offload(instruction)
            case Renew():
                self._renew()
            case _:
                return False
        return True

    def _seek(self, task: int, mark: bytes | None) -> None:
        sought = self._lease.seek(task, mark)
        with self._lock:
            if sought.status is Status.OK:
                self._walk.pulls.sought(task, sought.mark, sought.free, clock())
            else:
                self._stop()

    def _heal(self, task: int) -> None:
        self._times.enter(Phase.WRITING)
        mark = self._memory.inline(task, INLINE_BYTES) or self._memory.store(task)
        self._times.enter(Phase.REPORTING)
        status = self._lease.heal(task, mark)
        if status is Status.OK:
            self._acknowledged.note_healed(task, mark, clock(), self._mds.reconnects)
        with self._lock:
            if status is Status.OK:
                self._walk.pulls.healed(task, mark)
            else:
                self._stop()

    def _report(self, instruction: Report) -> None:
        self._times.enter(Phase.WRITING)  # until the first call
        claimed = self._send_again({arrivals.child for arrivals in instruction.arrivals})
        if claimed:
            instruction = Report(instruction.arrivals, instruction.results, end=False)
        reported = report(instruction, self._memory, self._sync, self._begun.json_results, self._delays)
        self._forgotten = reported.forgotten
        with self._lock:
            if reported.status is Status.OK:
                committed = [task for task, _ in instruction.results]
                answers = [*claimed, *reported.answers]
                self._walk.reported(
                    committed, answers, reported.room, reported.ended, reported.stored.items(), reported.large
                )
                self._drop()
            else:
                self._stop()

    def _send_again(self, reported: set[int]) -> list[ReportAnswer]:
        """Send again what a store that started again may have forgotten; returns what was claimed by that.

        What is `reported` next is answered then.
        """
        if not (self._forgotten or self._acknowledged.missed(self._mds.reconnects)):
            return []
        claimed = send_again(self._acknowledged, self._lease, self._current.tell)
        return [ReportAnswer(child, Verdict.CLAIMED.value, [], [], None) for child in claimed if child not in reported]

    def _offload(self, instruction: Offload) -> None:
        given = self._offloading.give(instruction)
        if given.status is Status.OK:
            self._acknowledged.note_offload(given.offload, given.records, clock(), self._mds.reconnects)
        with self._lock:
            if given.status is Status.OK:
                self._walk.offloaded(instruction.sequence, len(given.records), given.stored.items())
                self._drop()
            else:
                self._stop()

    def _renew(self) -> None:
        if self._lease.renew() is not Status.OK:
            with self._lock:
                self._stop()

    def _still_wanted(self) -> bool:
        if not self._stopping.is_set():
            self._renew()
        return not (self._stopping.is_set() or self._walk.ended)

    def _stop(self) -> None:
        """The job is over, the record has another holder, or the beat failed: nobody wants what runs here."""
        self._walk.stopped()
        self._interruption.interrupt()

    def _sync(self, sync: Sync) -> Synced:
        self._times.enter(Phase.REPORTING)
        resident, peak = self._resident.look()
        self._time_left.resident(resident)
        self._walk.patience.memory(resident, self._memory_limit)
        counters = self._tally.take(peak, self._walk.pulls.runs)
        with self._lock:
            slowest = self._slowest.take()
        call = Sync(
            arrivals=sync.arrivals,
            results=sync.results,
            memory=resident,
            counters=counters,
            logs=[replace(log, key=self._current.name(log.task)) for log in self._output.take()],
            retried=[replace(one, key=self._current.name(one.task)) for one in self._retrying.take()],
            slowest=[TaskTime(task, self._current.name(task), round(seconds * 1e6)) for task, seconds in slowest],
            end=sync.end,
        )
        call = self._acknowledged.stamp(call)
        synced = self._current.tell(call)
        if synced.status is Status.OK:
            self._acknowledged.note(call, synced.answers, clock(), self._mds.reconnects)
            if synced.freed:
                self._garbage.free(synced.freed)
        return synced

    def _drop(self) -> None:
        self._memory.drop(self._walk.dropped)
        self._walk.dropped.clear()

    def _fail(self, failure: Failure) -> str:
        with contextlib.suppress(Exception):
            self._sync(Sync())
        self._lease.fail(failure)
        return "failed"

    # The beat's thread.

    def _beat(self) -> None:
        try:
            while not self._stopping.wait(self._environment.beat_seconds):
                tick = True
                self._environment.heap.watch()
                if clock() > self._time_left.until:
                    # It can take long to find whom to sign for, and there may be little time.
                    self._environment.requests(self._environment.function)
                while not self._stopping.is_set():
                    with self._lock:
                        now = clock()
                        task, started = self._current.running
                        running_for = now - started if task >= 0 else 0.0
                        if task >= 0 and self._time_left.is_over(started, now) and self._walk.give_up():
                            self._given_up = True
                        instruction = self._walk.background(now, running_for, tick)
                    if instruction is None:
                        break
                    self._carry_out(instruction)
                    with self._lock:
                        self._changed.notify_all()
                    tick = False
                if self._given_up and self._walk.ended:
                    self._interruption.interrupt()
                if self._interruption.wanted:
                    break
        except BaseException as error:
            with self._lock:
                if not self._walk.ended:
                    self._beat_error = error  # the main thread raises it, as soon as it has stopped
                    self._stop()
                self._changed.notify_all()
        if self._interruption.wanted:
            self._insist()

    def _insist(self) -> None:
        """Have the running task end, which nobody wants any more; after a beat the environment ends with it."""
        while not self._interruption.insist(self._stopping, self._environment.beat_seconds):
            task, started = self._current.running
            if task >= 0 and self._interruption.can_end_process:
                key = self._programs.keys.get(task, task)
                seconds = clock() - started
                late.remove(self._mds, self._kvs, self._job)
                why = "which somebody else runs now" if self._given_up else "whose job is over"
                self._environment.end(
                    f"task {key!r} of job {self._job}, {why}, has been running for {seconds:.1f} s and cannot be "
                    "interrupted"
                )
