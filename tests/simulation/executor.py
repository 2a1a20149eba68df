"""The executor in virtual time: `wukong_executor.executor.Executor` as two actors that yield wherever it does I/O.

The walk, the cutting of reports into calls and the memory are the real ones. Plain code that calls stores
(`report`, `Memory`) is run again from its start with the answers so far whenever an answer has come, so that others
can come in between its calls.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from tests.simulation.stops import Interrupted, Suspended, TaskRaised
from tests.simulation.words import short, sync_name

from wukong.engine.instructions import (
    Fetch,
    FetchMarks,
    FetchPages,
    Heal,
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
from wukong.engine.walk import Walk
from wukong.errors import ClusterUnavailable, InputLost, WukongError
from wukong.graph.page import Page
from wukong.graph.page_index import first_pages
from wukong.mds.failure import Failure
from wukong.mds.records import Record
from wukong.mds.store import Begun, Status, Sync, Synced, Verdict
from wukong.testing.simulation.functions import Invocation
from wukong.testing.simulation.loop import Call, Control, Process, Signal, Sleep
from wukong.testing.simulation.values import SimulatedValues
from wukong_executor.acknowledged import Acknowledged, Gave, Healed
from wukong_executor.failures import ValueStuck
from wukong_executor.late import OVER
from wukong_executor.memory import INLINE_BYTES, Memory
from wukong_executor.pulse import RENEWALS
from wukong_executor.reporter import report
from wukong_executor.size import estimated_bytes

#: Seconds that stored values outlive the job's deadline.
GRACE = 900


class Execution:
    """One invocation: becomes a record's holder and walks it to its end."""

    def __init__(self, world: Any, process: Process, invocation: Invocation) -> None:
        self.world = world
        self.process = process
        self.name = process.name
        self.job, self.record, self.asked = invocation
        self.graph = world.graph(self.job)
        self.token = world.new_token(self)
        self.walk: Walk
        self.memory: Memory
        self.large_bytes: int | None = None
        self.delays = True
        #: Task -> mark, of the uploaded inputs on its pages.
        self.uploaded: dict[int, bytes] = {}
        self.begun: Begun
        self.beat_asleep = False
        self.stopping = False
        #: The pulse ends.
        self.resting = False
        self.interrupt_wanted = False
        self.armed = False
        self.beat_error: Exception | None = None
        self.running: tuple[int, float] = (-1, 0.0)
        self.announced = -1
        self.tasks_run = 0
        self.given_up = False
        self.changed = Signal()
        self.answers: Iterator[Any] = iter(())
        self.acknowledged: Acknowledged
        self.forgotten = False

    # The handler and the main thread.

    def handle(self) -> Generator[Any, Any, str]:
        """As `wukong_executor.handler.handler`."""
        world = self.world
        begun = yield from self.mds("begin", self.token, world.plan.lease, self.asked)
        if begun.status is not Status.OK:
            return begun.status.value
        self.begun = begun
        self.acknowledged = Acknowledged(begun.claims, self.process.met)
        policy = world.policy()
        if begun.begins > world.plan.trusted:
            policy = Careful(policy)
        self.large_bytes, self.delays = policy.large_bytes, policy.delays
        self.memory = Memory(
            SimulatedValues(world.nodes, self.job, self.ask_values),
            self.job,
            self.token,
            begun.seconds_left + GRACE,
            0,
            policy.inlines,
        )
        self.walk = Walk(policy, begun.first_tasks, world.plan.beat, begun.parallelism - 1)
        self.process.spawn(self.pulse(), apart=True)
        outcome, error = "", None
        try:
            outcome = yield from self.run()
        except WukongError as raised:
            error = raised
        if self.interrupt_wanted or outcome != "ended":
            yield from self.remove_late()
        self.resting = True
        if error is not None:
            raise error
        return outcome

    def remove_late(self) -> Control:
        """As `wukong_executor.late.remove`. The look takes no time: nobody else can see when it is."""
        world, nodes = self.world, self.world.nodes
        latency = world.plan.latency
        info = world.mds.job(self.job)
        if info is not None and info.state in OVER:
            world.note(self.name, f"removes what it wrote for {self.job}, which is {info.state}")
            for node in range(len(nodes)):
                yield Call(latency, partial(nodes.purge, self.job, node), latency)

    def run(self) -> Generator[Any, Any, str]:
        try:
            return (yield from self.run_threads())
        except TaskRaised:
            failure = Failure("TaskError", "the task raised", task=self.running[0])
        except ClusterUnavailable:
            self.process.disturbed = self.process.disturbed or "lost a store"
            raise
        except ValueStuck:
            raise
        except WukongError as error:
            failure = Failure(type(error).__name__, str(error), task=self.running[0])
        with contextlib.suppress(WukongError):
            yield from self.sync(Sync(current=self.running[0]))
        yield from self.mds("fail", self.token, self.begun.generation, failure)
        return "failed"

    def run_threads(self) -> Generator[Any, Any, str]:
        outcome = "ended"
        failed: Exception | None = None
        beat = None
        try:
            begun = self.begun
            self.walk.begin(begun.entries, begun.claims, begun.given, begun.inputs, begun.restores)
            if begun.pages:
                self.walk.pages_loaded(map(self.open, begun.pages))
            beat = self.process.spawn(self.beats())
            yield from self.work()
        except Interrupted:
            outcome = "stopped"
        except Exception as error:
            failed = error
        self.stopping = True
        if beat is not None:
            if self.beat_asleep:
                beat.wake(None)
            while not beat.done:
                yield beat.ended
        if failed is not None or self.beat_error is not None:
            raise failed or self.beat_error  # type: ignore[misc]
        return outcome

    def work(self) -> Control:
        walk, clock = self.walk, self.world.loop
        instruction = walk.next(clock.now)
        while True:
            if type(instruction) is RunTask:
                task, inputs = instruction
                started = clock.now
                if self.tasks_run and self.world.chance.strikes("hand-over"):
                    self.world.note(self.process.name, f"! has no time for task {task}")
                    walk.hand_over()
                    instruction = walk.next(started)
                    continue
                self.tasks_run += 1
                self.running = (task, started)
                if self.begun.begins > 1:
                    yield from self.announce(task)
                value = yield from self.evaluate(task, inputs)
                now = clock.now
                self.memory.by_task[task] = value
                large = self.large_bytes is not None and estimated_bytes(value) >= self.large_bytes
                walk.task_finished(task, now - started, now, large)
                self.drop()
                instruction = walk.next(now)
                continue
            self.running = (-1, clock.now)
            if self.begun.begins > 1:
                yield from self.announce(walk.preparing)
            if type(instruction) is Wait:
                while type(instruction := walk.next(clock.now)) is Wait:
                    yield self.changed.within(instruction.seconds)
                continue
            if not (yield from self.carry_out(instruction)):
                return
            if clock.rng.random() < 0.1:
                yield Sleep(0.0)  # the lock was free
            instruction = walk.next(clock.now)

    def announce(self, task: int) -> Control:
        if task == self.announced:
            return
        self.announced = task
        synced = yield from self.sync(Sync(current=task))
        if synced.status is not Status.OK:
            self.stop()

    def evaluate(self, task: int, inputs: list[int]) -> Control:
        world, memory = self.world, self.memory
        values = [memory.by_task[parent] for parent in inputs]
        world.promises.runs_task(self, task, inputs)
        if task in self.graph.inputs:
            if (yield from self.plain(lambda: memory.load([(task, self.uploaded[task])]))):
                raise InputLost(task)
            return memory.by_task[task]
        if self.interrupt_wanted:
            raise Interrupted
        name = f"task {task}"
        world.note(self.process.name, f"{self.job}/{self.record} runs {name}")
        self.armed = True
        answer = yield Sleep(world.chance.task_seconds(self.process, self.graph.seconds[task], name))
        self.armed = False
        if answer is Interrupted:
            raise Interrupted
        if world.fails(self.job, task):
            raise TaskRaised
        return self.graph.compute(task, values)

    def open(self, body: bytes) -> Page:
        page: Page = self.world.pages.decode(body)
        self.uploaded.update(page.inputs)
        return page

    # Instructions; either thread.

    def carry_out(self, instruction: Any) -> Generator[Any, Any, bool]:
        walk, memory = self.walk, self.memory
        match instruction:
            case FetchPages(indices):
                bodies = yield from self.call(
                    f"pages {indices}", lambda: self.world.mds.pages(self.job, indices), mds=True
                )
                walk.pages_loaded(map(self.open, bodies))
            case Fetch(values):
                lost = yield from self.plain(lambda: memory.load(values))
                walk.fetched([task for task, _ in values if task not in lost])
                walk.pulls.lost(lost)
            case FetchMarks(child, edges):
                yield from self.fetch_marks(child, edges)
            case Seek(task, mark):
                sought = yield from self.mds(
                    "seek", self.token, self.begun.generation, self.world.plan.lease, task, mark
                )
                if sought.status is Status.OK:
                    walk.pulls.sought(task, sought.mark, sought.free, self.world.loop.now)
                else:
                    self.stop()
            case Heal(task):
                yield from self.heal(task)
            case Store(tasks, together):
                marks = yield from self.plain(lambda: memory.store_all(tasks, together))
                walk.stored(marks)
                self.drop()
            case Report():
                yield from self.report(instruction)
            case Offload():
                yield from self.offload(instruction)
            case Renew():
                status = yield from self.call("renew", self.renew, mds=True)
                if status is not Status.OK:
                    self.stop()
            case _:
                return False
        return True

    def fetch_marks(self, child: int, edges: list[int]) -> Control:
        generation = self.begun.generation
        marks = yield from self.call(
            f"marks of {child}", lambda: self.world.mds.marks(self.job, generation, child, edges), mds=True
        )
        self.walk.marks_read(child, [(edge, mark) for edge, mark in zip(edges, marks, strict=True) if mark is not None])

    def heal(self, task: int) -> Control:
        mark = yield from self.input(task, None, {})
        status = yield from self.mds("heal", self.token, self.begun.generation, self.world.plan.lease, task, mark)
        if status is Status.OK:
            self.acknowledged.note_healed(task, mark, self.world.loop.now, self.process.met)
            self.walk.pulls.healed(task, mark)
        else:
            self.stop()

    def report(self, instruction: Report) -> Control:
        json_results = self.begun.json_results
        claimed = yield from self.send_again({arrivals.child for arrivals in instruction.arrivals})
        if claimed:
            instruction = Report(instruction.arrivals, instruction.results, end=False)
        large_bytes = self.world.plan.large_bytes
        reported = yield from self.plain(
            lambda: report(instruction, self.memory, self.send, json_results, self.delays, large_bytes)
        )
        self.forgotten = reported.forgotten
        if reported.status is Status.OK:
            committed = [task for task, _ in instruction.results]
            answers = [*claimed, *reported.answers]
            self.walk.reported(
                committed, answers, reported.room, reported.ended, reported.stored.items(), reported.large
            )
            self.drop()
            if reported.ended:
                self.world.promises.record_ended(self)
        else:
            self.stop()

    def send_again(self, reported: set[int]) -> Generator[Any, Any, list[ReportAnswer]]:
        """As `wukong_executor.executor`: what a store that started again may have forgotten."""
        if not (self.forgotten or self.acknowledged.missed(self.process.met)):
            return []
        claimed: list[ReportAnswer] = []
        acknowledged, clock = self.acknowledged, self.world.loop
        for call in acknowledged.again(self.process.met):
            if isinstance(call, Gave):
                status, _ = yield from self.mds(
                    "offload",
                    self.token,
                    self.begun.generation,
                    call.offload,
                    self.world.plan.lease,
                    call.pieces,
                    True,
                )
                if status is not Status.OK:
                    break
                acknowledged.note_offload(call.offload, call.pieces, clock.now, self.process.met)
                continue
            if isinstance(call, Healed):
                healed = call.task, call.mark
                status = yield from self.mds("heal", self.token, self.begun.generation, self.world.plan.lease, *healed)
                if status is not Status.OK:
                    break
                acknowledged.note_healed(*healed, clock.now, self.process.met)
                continue
            call = acknowledged.stamp(replace(call, current=self.running[0]))
            synced = yield from self.sync(call)
            if synced.status is not Status.OK:
                break
            for child in acknowledged.claimed(call, synced.answers):
                if child not in reported:
                    claimed.append(ReportAnswer(child, Verdict.CLAIMED.value, [], [], None))
            acknowledged.note(call, synced.answers, clock.now, self.process.met)
        return claimed

    def offload(self, instruction: Offload) -> Control:
        world = self.world
        offload = self.offload_id(instruction)
        stored: dict[int, bytes] = {}
        pieces: list[Record] = []
        for piece in instruction.pieces:
            inputs: list[tuple[int, bytes]] = []
            for task, mark in piece.inputs:
                inputs.append((task, (yield from self.input(task, mark, stored))))
            pieces.append(Record("", piece.entries, inputs, self.begun.depth + 1))
        lease = world.plan.lease
        status, accepted = yield from self.mds(
            "offload", self.token, self.begun.generation, offload, lease, pieces, instruction.end
        )
        for i, piece in enumerate(pieces[:accepted]):
            pages = first_pages(piece.entries, self.begun.first_tasks)
            yield from world.invoke(self.process, Invocation(self.job, f"{offload}.{i}", pages))
        if status is Status.OK:
            self.acknowledged.note_offload(offload, pieces[:accepted], world.loop.now, self.process.met)
            self.walk.offloaded(instruction.sequence, accepted, stored.items())
            self.drop()
        else:
            self.stop()

    def offload_id(self, instruction: Offload) -> str:
        return f"{self.token}-{instruction.sequence}"

    def input(self, task: int, mark: bytes | None, stored: dict[int, bytes]) -> Control:
        if mark is None:
            mark = stored.get(task) or self.memory.inline(task, INLINE_BYTES)
        if mark is None:
            mark = stored[task] = yield from self.plain(lambda: self.memory.store(task))
        return mark

    def stop(self) -> None:
        self.walk.stopped()
        self.interrupt_wanted = True
        if self.armed:
            self.armed = False
            self.process.actors[0].wake(Interrupted)

    def drop(self) -> None:
        self.memory.drop(self.walk.dropped)
        self.walk.dropped.clear()

    # The beat's thread.

    def beats(self) -> Control:
        clock = self.world.loop
        try:
            while True:
                self.beat_asleep = True
                yield Sleep(self.world.plan.beat)
                self.beat_asleep = False
                if self.stopping:
                    return
                tick = True
                while not self.stopping:
                    task, started = self.running
                    running_for = clock.now - started if task >= 0 else 0.0
                    self.give_up(task)
                    instruction = self.walk.background(clock.now, running_for, tick)
                    if instruction is None:
                        break
                    yield from self.carry_out(instruction)
                    self.changed.notify()
                    tick = False
                if self.given_up and self.walk.ended:
                    self.stop()
        except WukongError as error:
            if not self.walk.ended:
                self.beat_error = error
                self.stop()
            self.changed.notify()

    def give_up(self, task: int) -> None:
        """The task that runs takes longer than the time that is left."""
        world = self.world
        if task >= 0 and self.armed and self.tasks_run > 1 and world.chance.strikes("hand-over"):
            pulled = self.walk.pulls.running == task
            if self.walk.give_up():
                self.given_up = True
                world.note(self.process.name, f"! has no time for the rest of task {task}")
                if not pulled:
                    world.promises.gave_up(self, task)

    def pulse(self) -> Control:
        """As `wukong_executor.pulse`: what holds the beat up does not hold this up."""
        chance, lease = self.world.chance, self.world.plan.lease
        heart = Process(self.world.loop, f"{self.name}-pulse")  # its connection to the store is its own
        while True:
            yield Sleep(lease / RENEWALS)
            if self.resting:
                return
            yield chance.store_call(heart, chance.latency(), self.renew, chance.latency())

    def renew(self) -> Status:
        generation, lease = self.begun.generation, self.world.plan.lease
        status: Status = self.world.mds.renew(self.job, self.record, self.token, generation, lease)
        return status

    # Calls.

    def plain(self, code: Callable[[], Any]) -> Control:
        """Run plain code that makes calls with `ask`: again from its start for each answer that has come."""
        answers: list[Any] = []
        while True:
            self.answers = iter(answers)
            try:
                return code()
            except Suspended as suspended:
                (made,) = suspended.args
            try:
                answers.append((yield from made()))
            except WukongError as error:
                answers.append(error)

    def ask(self, made: Callable[[], Control]) -> Any:
        """The answer to a call of plain code, once it has come."""
        try:
            answer = next(self.answers)
        except StopIteration:
            raise Suspended(made) from None
        if isinstance(answer, WukongError):
            raise answer
        return answer

    def ask_values(self, name: str, effect: Callable[[], Any]) -> Any:
        return self.ask(lambda: self.call(name, effect, mds=False))

    def send(self, sync: Sync) -> Synced:
        answer: Synced = self.ask(lambda: self.tell(sync))
        if answer.freed:
            self.ask_values("free", lambda: self.world.nodes.free(self.job, answer.freed))
        return answer

    def tell(self, sync: Sync) -> Generator[Any, Any, Synced]:
        """A call that is missed where it is forgotten."""
        call = self.acknowledged.stamp(replace(sync, current=self.running[0]))
        synced: Synced = yield from self.sync(call)
        if synced.status is Status.OK:
            self.acknowledged.note(call, synced.answers, self.world.loop.now, self.process.met)
        return synced

    def sync(self, sync: Sync) -> Control:
        generation, lease = self.begun.generation, self.world.plan.lease
        effect = lambda: self.world.mds.sync(self.job, self.record, self.token, generation, lease, sync)  # noqa: E731
        return (yield from self.call(sync_name(sync) if self.world.tracing else "sync", effect, mds=True))

    def mds(self, name: str, *args: Any) -> Control:
        method = getattr(self.world.mds, name)
        return (yield from self.call(name, lambda: method(self.job, self.record, *args), mds=True))

    def call(self, name: str, effect: Callable[[], Any], mds: bool) -> Control:
        world = self.world
        if not world.tracing:
            return (yield world.chance.call(self.process, effect, name, mds))

        def traced() -> Any:
            answer = effect()
            world.note(self.process.name, f"{self.job}/{self.record} {name} -> {short(answer)}")
            return answer

        return (yield world.chance.call(self.process, traced, name, mds))
