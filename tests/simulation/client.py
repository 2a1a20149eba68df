"""A client in virtual time: uploads, submits until it is told so, perhaps cancels, reads the results, releases.

Results that it does not find it has computed again, as often as they are lost. Such a word may be sent twice, at
the same time or when all is over.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from typing import Any

from tests.simulation.promises import Broken
from tests.simulation.scheduler import DEADLINE

from wukong.kvs.keys import upload_owner
from wukong.kvs.store import ValueMissing
from wukong.mds.store import JobInfo
from wukong.testing.simulation.graph import Value
from wukong.testing.simulation.loop import Actor, Call, Control, Process, Sleep
from wukong.testing.simulation.values import Intruded, stripes


class Client:
    """The client of one job."""

    def __init__(self, world: Any, job: str) -> None:
        self.world = world
        self.job = job
        self.cancels = False
        #: Somebody releases the job before this client has looked at its end.
        self.released = False
        self.process = Process(world.loop, f"client-{job}")
        self.process.spawn(self.use())

    def use(self) -> Control:
        """One job from its upload to its release."""
        world, rng, job = self.world, self.world.loop.rng, self.job
        yield Sleep(rng.random() * world.plan.start)
        marks = yield from self.upload()
        if "cancel" in world.plan.faults and rng.random() < 0.7:
            self.cancels = True
            world.chance.happened["cancel"] = world.chance.happened.get("cancel", 0) + 1
            self.process.spawn(self.cancel_later())
        yield from self.ask(lambda scheduler: scheduler.submit(job, marks))
        while True:
            info, marks = yield from self.end()
            world.note(self.process.name, f"finds {job} {info.state}")
            values, missing = (yield from self.read(marks)) if info.state == "done" else ({}, {})
            if not missing:
                break
            world.note(self.process.name, f"misses {[*missing]} of {job}")
            lost = {sink: mark for sink, mark in missing.items() if mark is not None}
            if rng.random() < 0.5:
                self.process.spawn(self.miss_too(lost, rng.choice([0.0, 0.0, 1.0, 30.0]) * rng.random()))
            yield from self.ask(lambda scheduler, lost=lost: scheduler.restore(job, lost))
        if not self.released:
            world.promises.ended(job, info.state, info.failure, values)
        yield Sleep(rng.choice([0.0, 0.0, 5.0]) * rng.random())
        yield Sleep(self.until_somebody_wakes())
        yield from self.ask(lambda scheduler: scheduler.release(job))
        world.open_jobs.discard(job)

    def until_somebody_wakes(self) -> float:
        """Seconds until just before or after an executor of the job wakes, who wrote for it; 0 if none sleeps."""
        world, rng = self.world, self.world.loop.rng
        sleepers = [execution.process for execution in world.executions.values() if execution.job == self.job]
        wakes = [process.wakes_at for process in sleepers if process.alive and process.wakes_at > world.loop.now]
        if not wakes or rng.random() < 0.2:
            return 0.0
        moment: float = rng.choice(wakes) + 8 * world.plan.latency * (rng.random() - 0.3)
        return max(0.0, moment - world.loop.now)

    def end(self) -> Generator[Any, Any, tuple[JobInfo, list[bytes | None]]]:
        """Wait for the end of the job; what is known of it then, and the marks of its results."""
        world, job = self.world, self.job
        pause = 0.01
        while (found := (yield self.call(self.look)))[0] is None or found[0].state in ("loading", "running"):
            if found[0] is None or found[0].state == "loading":
                # What nobody knows any more is submitted again, as a user is told.
                world.note(self.process.name, f"does not find {job}")
                marks = yield from self.upload()
                yield from self.ask(lambda scheduler, marks=marks: scheduler.submit(job, marks))
            yield Sleep(pause)
            pause = min(1.0, pause * 1.5)
        return found

    def read(self, marks: Sequence[bytes | None]) -> Generator[Any, Any, tuple[dict[int, Value], dict[int, Any]]]:
        """The values of the results, and the marks of those that are not there."""
        world, job, chance = self.world, self.job, self.world.chance
        values: dict[int, Value] = {}
        missing: dict[int, bytes | None] = {}
        for sink, mark in zip(world.graph(job).sinks, marks, strict=True):
            if chance.strikes("node-loss", 20):
                world.lose_node(world.loop.rng.randrange(len(world.nodes)))
            if mark is None:
                missing[sink] = None
                world.promises.missed(job, sink, mark)
                continue
            get = partial(world.nodes.get, job, mark, str(sink))
            try:
                values[sink] = yield Call(chance.latency(), get, chance.latency())
            except ValueMissing:
                missing[sink] = mark
                world.promises.missed(job, sink, mark)
            except Intruded as error:
                raise Broken("isolated", str(error)) from error
        return values, missing

    def miss_too(self, lost: dict[int, bytes], seconds: float) -> Control:
        """Say once more that results are lost: at the same time, when they are there again, or the job is gone."""
        yield Sleep(seconds)
        yield from self.ask(lambda scheduler: scheduler.restore(self.job, lost))

    def look(self) -> tuple[JobInfo | None, list[bytes | None]]:
        """What is known of the job, and its results."""
        mds = self.world.mds
        return mds.job(self.job), mds.results(self.job, self.world.graph(self.job).sinks)

    def upload(self) -> Control:
        """Put the graph's uploaded inputs into the stores; returns their marks."""
        graph = self.world.graph(self.job)
        marks: dict[int, bytes] = {}
        for task, content in graph.inputs.items():
            marks[task] = yield from self.upload_one(content, f"u{task}", graph.compute(task, []))
        return marks

    def upload_one(self, content: str, token: str, value: Value) -> Control:
        world, owner = self.world, upload_owner(content, token)
        chance = world.chance
        for stripe in range(stripes(value.nbytes)):
            put = partial(world.nodes.put, owner, "value", token, {"value": value}, DEADLINE, stripe)
            yield Call(chance.latency(), put, chance.latency())
        mark = f"S|{owner}|value|{token}|{value.nbytes}".encode()
        yield self.call(lambda: world.mds.place_input(content, self.job, mark, owner, DEADLINE))
        return mark

    def cancel_later(self) -> Control:
        rng = self.world.loop.rng
        yield Sleep(rng.choice([0.1, 1.0, 5.0]) * rng.random())
        if rng.random() < 0.5:
            yield from self.ask(lambda scheduler: scheduler.cancel(self.job))
        else:
            self.released = True
            yield from self.ask(lambda scheduler: scheduler.release(self.job))

    def ask(self, request: Any) -> Control:
        """Have the scheduler do something; again, when it died over it or could not."""
        world = self.world
        while True:
            scheduler = world.scheduler
            if scheduler.process.alive:
                asked: Actor = scheduler.process.spawn(request(scheduler))
                while scheduler.process.alive and not asked.done:
                    yield Sleep(0.02)
                if asked.done and asked.error is None:
                    return
            yield Sleep(0.1)

    def call(self, effect: Any) -> Call:
        chance = self.world.chance
        return chance.store_call(self.process, chance.latency(), effect, chance.latency())
