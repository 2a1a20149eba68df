"""One run: a whole cluster in virtual time, made and driven by one seed."""

from __future__ import annotations

import contextlib
import copy
import random
import traceback
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from tests.simulation.client import Client
from tests.simulation.executor import Execution
from tests.simulation.promises import Broken, Promises
from tests.simulation.scheduler import Scheduler

import wukong.engine.fan_ins
import wukong.engine.pages
import wukong.engine.walk
import wukong.testing.mds_fan_ins
import wukong_executor.reporter
from wukong.engine.policy.heartbeat import Heartbeat
from wukong.engine.policy.named import policy_named
from wukong.engine.policy.policy import Policy
from wukong.errors import WukongError
from wukong.kvs.ring import Node, Ring
from wukong.mds.store import Begun, Status, Sync, Synced
from wukong.testing.mds import MemoryMds
from wukong.testing.mds_record import LiveRecord
from wukong.testing.simulation.chance import Chance
from wukong.testing.simulation.functions import Functions, Invocation
from wukong.testing.simulation.graph import Graph, PageReader
from wukong.testing.simulation.loop import Call, Control, Loop, Process, Sleep
from wukong.testing.simulation.plan import Plan, draw
from wukong.testing.simulation.values import Nodes, stored
from wukong_executor.executor import INVOCATION_OF_BEAT

#: Seconds within which all jobs have ended and are removed.
BOUND = 60_000.0

#: Events within which they have; a run has about a thousand, and seldom ten thousand.
MOST_EVENTS = 300_000

#: Limits that a graph of 300 tasks never reaches, and what they are in a run with narrow ones.
NARROW = [
    (wukong.engine.fan_ins, "REPORT_EDGES", 6),
    (wukong.engine.walk, "REPORT_EDGES", 6),
    (wukong.engine.pages, "PAGES_AHEAD", 2),
    (wukong.engine.walk, "PIECES_AT_ONCE", 3),
    (wukong_executor.reporter, "BATCH_MARKS", 5),
    (wukong_executor.reporter, "BATCH_BYTES", 200),
    (wukong_executor.reporter, "WIDE", 4),
    (wukong.testing.mds_fan_ins, "WIDE", 4),
]


@dataclass(frozen=True)
class Outcome:
    """What became of a run: nothing was broken if `broken` is empty."""

    plan: Plan
    broken: str
    promise: str
    events: int
    happened: dict[str, int]
    ends: list[str]
    trace: list[str]


class CheckedMds(MemoryMds):
    """The metadata store, with the promises that can be seen there."""

    promises: Promises

    def listed(self) -> bool:
        """Whether there is a job that was not purged."""
        return bool(self._listed)

    def begin(self, job: str, record: str, token: str, *args: Any, **kwargs: Any) -> Begun:
        begun = super().begin(job, record, token, *args, **kwargs)
        if begun.status is Status.OK:
            self.promises.began(job, record, token, begun)
        elif job not in self._jobs or self._jobs[job].meta.state == "loading":
            self.promises.came_early(job, record)
        return begun

    def sync(self, job: str, record: str, token: str, generation: int, lease: float, sync: Sync) -> Synced:
        synced = super().sync(job, record, token, generation, lease, sync)
        self.promises.synced(job, record, sync, synced)
        return synced

    def lose_results(self, job: str, *args: Any) -> list[str]:
        held = self._jobs.get(job)
        before = {name: live.holder for name, live in held.records.items()} if held is not None else {}
        created = super().lose_results(job, *args)
        for name, holder in before.items():
            if holder is not None and name not in self._jobs[job].records:
                self.promises.unwanted(holder)
        return created

    def offload(self, job: str, record: str, *args: Any, **kwargs: Any) -> tuple[Status, int]:
        status, accepted = super().offload(job, record, *args, **kwargs)
        if status is Status.OK:
            self.promises.offloaded(job, record, args[4][:accepted])
        return status, accepted


@dataclass(frozen=True)
class Eager(Heartbeat):
    """Gives away as much as there is room for, in pieces of random number: nothing more hostile can be asked for."""

    rng: random.Random

    def on_beat(self, waiting: int, room: int, task_seconds: float, aged: bool, moving: float) -> int:
        return self.rng.randint(0, max(0, min(waiting, room)))


class Never(Heartbeat):
    """Gives nothing away."""

    def on_beat(self, waiting: int, room: int, task_seconds: float, aged: bool, moving: float) -> int:
        return 0


class World:
    """Everything of one run."""

    def __init__(self, plan: Plan, tracing: bool) -> None:
        self.plan = plan
        self.tracing = tracing
        self.trace: list[str] = []
        self.loop = Loop(f"run-{plan.seed}")
        self.chance = Chance(self.loop, plan, self.note)
        self.ring = Ring(0, (Node("n", "n:1"),))
        self.promises = Promises(self)
        self.mds = CheckedMds(self.loop, stored)
        self.mds.promises = self.promises
        self.mds.put_ring(self.ring)
        self.nodes = Nodes(plan.nodes, self.loop)
        self.pages = PageReader()
        self.functions = Functions(self.loop, plan.environments, self._deliveries, self._handle, self._died)
        #: By token.
        self.executions: dict[str, Execution] = {}
        self.jobs = {f"job{number}": graph for number, graph in enumerate(plan.graphs)}
        self.open_jobs = set(self.jobs)
        #: The metadata store is about to be what it was.
        self.forgetting = False
        self.failing = self._failing()
        self.clients = {job: Client(self, job) for job in self.jobs}
        self.scheduler = Scheduler(self, 0)
        Process(self.loop, "disaster").spawn(self._disasters())

    def run(self) -> None:
        """Run to the end and check it.

        Raises:
            Broken: A promise was broken.
        """
        if not self.loop.run(self.loop.start + BOUND, MOST_EVENTS) or self.open_jobs:
            raise Broken("live", f"{sorted(self.open_jobs)} did not end: {self._stuck()}")
        self.promises.nothing_left()

    # What the others ask.

    def graph(self, job: str) -> Graph:
        return self.jobs[job]

    def new_token(self, execution: Execution) -> str:
        token = f"{execution.name}t"
        self.executions[token] = execution
        return token

    def note(self, who: str, what: str) -> None:
        if self.tracing:
            self.trace.append(f"{self.loop.now - self.loop.start:10.4f} {who:12} {what}")

    def policy(self) -> Policy:
        invocation_seconds = self.plan.beat * INVOCATION_OF_BEAT
        if self.plan.policy == "eager":
            return Eager(invocation_seconds, self.loop.rng)
        if self.plan.policy == "never":
            return Never(invocation_seconds)
        return policy_named(self.plan.policy, invocation_seconds, self.plan.large_bytes)

    def invoke(self, process: Process, invocation: Invocation) -> Control:
        """A request to the Invoke API; one that is refused is left to the sweep."""
        if self.chance.strikes("throttle"):
            name = f"{invocation.job}/{invocation.record}"
            self.chance.lost[name] = self.chance.lost.get(name, 0) + 1
            self.note(process.name, f"! the invocation of {name} is refused")
            yield Sleep(self.chance.latency())
            return

        def effect() -> None:
            self.functions.invoke(invocation)

        if process is self.scheduler.process:
            yield Call(self.chance.latency(), effect, self.chance.latency())
        else:
            yield self.chance.call(process, effect, f"invoke {invocation.record}", False)

    def tell(self, invocation: Invocation, holder: str, at_once: bool) -> None:
        """The platform tells the scheduler of an invocation that came to nothing, through a queue: once or more."""
        if self.plan.told:
            for _ in range(self.loop.rng.choice([1, 1, 1, 2])):
                self.loop.after(self.loop.rng.random() * self.plan.lease, self._told, invocation, holder, at_once)

    def is_running(self, job: str) -> bool:
        held = self.mds._jobs.get(job)
        return held is not None and held.meta.state == "running"

    def holder(self, job: str, record: str) -> str | None:
        live = self.record(job, record)
        return live.holder if live is not None else None

    def record(self, job: str, record: str) -> LiveRecord | None:
        held = self.mds._jobs.get(job)
        return held.records.get(record) if held is not None else None

    def records(self) -> Iterator[tuple[str, str, LiveRecord]]:
        for job, held in self.mds._jobs.items():
            for record, live in held.records.items():
                yield job, record, live

    def marked(self, job: str, child: int) -> set[int]:
        return set(self.mds._jobs[job].fan_ins[-1].marks.get(child, ()))

    def owners(self) -> Iterator[tuple[tuple[str, int], str]]:
        for job, held in self.mds._jobs.items():
            for child, owner in held.fan_ins[-1].owners.items():
                if owner is not None:
                    yield (job, child), owner

    def fails(self, job: str, task: int) -> bool:
        return self.failing.get(job) == task

    def cancelled(self, job: str) -> bool:
        return self.clients[job].cancels

    # Inside.

    def _failing(self) -> dict[str, int]:
        failing: dict[str, int] = {}
        if "raise" in self.plan.faults:
            for job, graph in self.jobs.items():
                if programs := [task for task in range(len(graph.deps)) if task not in graph.inputs]:
                    failing[job] = self.loop.rng.choice(programs)
        return failing

    def _deliveries(self, invocation: Invocation) -> list[float]:
        delays = self.chance.deliveries(invocation)
        if not delays:
            self.tell(invocation, "", True)
        return delays

    def _died(self, process: Process, invocation: Invocation) -> None:
        for token in [token for token, execution in self.executions.items() if execution.process is process]:
            self.tell(invocation, token, True)

    def _told(self, invocation: Invocation, holder: str, at_once: bool) -> None:
        """A message of the queue, which comes again while nobody could deal with it."""

        def again() -> None:
            if self.open_jobs:
                self.loop.after(self.plan.lease, self._told, invocation, holder, at_once)

        scheduler = self.scheduler
        if scheduler.process.alive:
            message = scheduler.ended(invocation.job, invocation.record, holder, at_once)
            scheduler.process.spawn(message, lambda actor: again() if actor.error is not None else None)
        else:
            again()

    def _handle(self, process: Process, invocation: Invocation) -> Control:
        execution = Execution(self, process, invocation)
        try:
            outcome = yield from execution.handle()
        except WukongError:
            self.tell(invocation, execution.token, False)
            raise
        self.note(process.name, f"{invocation.job}/{invocation.record}: {outcome}")

    def _disasters(self) -> Control:
        """What befalls the scheduler and the stores."""
        rng = self.loop.rng
        number = 0
        faults = self.plan.faults
        while faults.keys() & {"restart", "node-loss", "forget"} and self.open_jobs:
            yield Sleep(rng.random() * 0.5)
            if "restart" in faults and number < 5 and rng.random() < 0.2:
                number += 1
                self.chance.happened["restart"] = number
                self.note("disaster", "! the scheduler dies")
                self.scheduler.process.kill()
                yield Sleep(rng.choice([0.0, 1.0, 5.0]) * rng.random())
                self.scheduler = Scheduler(self, number)
            if self.chance.strikes("node-loss", 20):
                self.lose_node(rng.randrange(len(self.nodes)))
            if self.chance.strikes("forget"):
                past = copy.deepcopy((self.mds._jobs, self.mds._listed, self.mds._uploads))
                self.forgetting = True
                yield Sleep(rng.random())
                self.forgetting = False
                self.note("disaster", "! the metadata store forgets its last second")
                self.mds._jobs, self.mds._listed, self.mds._uploads = past
                self.chance.start_store_again()
                self.promises.forgot()

    def lose_node(self, node: int) -> None:
        self.note("disaster", f"! node {node} loses its data")
        self.nodes.lose(node)

    def _stuck(self) -> str:
        return "; ".join(
            f"{job} is {held.meta.state} with {held.meta.left} results left and records {[*held.records]}"
            for job, held in self.mds._jobs.items()
        )


def simulate(
    seed: int,
    tasks: int | None = None,
    faults: Collection[str] | None = None,
    policy: str | None = None,
    tracing: bool = False,
) -> Outcome:
    """Run one seed. See `wukong.testing.simulation.plan.draw` for the arguments; `tracing` keeps what happened."""
    plan = draw(seed, tasks, faults, policy)
    broken = promise = ""
    with _limits(plan):
        world = World(plan, tracing)
        try:
            world.run()
        except Broken as error:
            broken, promise = str(error), error.promise
        except WukongError as error:
            broken, promise = f"isolated: {error}", "isolated"
        except Exception:
            broken, promise = f"code: {traceback.format_exc()}", "code"
    return Outcome(plan, broken, promise, world.loop.count, world.chance.happened, world.promises.ends, world.trace)


@contextlib.contextmanager
def _limits(plan: Plan) -> Iterator[None]:
    """Have the limits of a plan for a while."""
    limits = NARROW if plan.narrow else ()
    before = [getattr(module, name) for module, name, _ in limits]
    try:
        for module, name, value in limits:
            setattr(module, name, value)
        yield
    finally:
        for (module, name, _), value in zip(limits, before, strict=True):
            setattr(module, name, value)
