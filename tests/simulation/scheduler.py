"""The scheduler in virtual time: submits, sweeps and removes as the real one does, and forgets all when it dies."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from typing import Any

from wukong.engine.policy.groups import contiguous
from wukong.errors import ClusterUnavailable
from wukong.graph.page_index import first_pages
from wukong.mds.budget import Budget
from wukong.mds.failure import Failure
from wukong.mds.records import Record
from wukong.mds.store import JobSpec
from wukong.prices import Prices
from wukong.testing.simulation.functions import Invocation
from wukong.testing.simulation.loop import Call, Control, Process, Sleep
from wukong_scheduler.removal import ENDED_EMPTY
from wukong_scheduler.sweeping import forgotten, judge, stalled

#: Seconds that a job has.
DEADLINE = 50_000.0

TOMBSTONE = 1800

#: Seconds for which a job is kept that has ended, and that nobody asks for.
KEEP = 60.0


class Scheduler:
    """One process of the scheduler."""

    def __init__(self, world: Any, number: int) -> None:
        self.world = world
        self.process = Process(world.loop, f"scheduler-{number}")
        self.met = self.process.met = world.chance.store_starts
        self.resting = False
        self.sweeper = self.process.spawn(self.sweeps())

    def submit(self, job: str, marks: dict[int, bytes]) -> Control:
        """As `wukong_scheduler.submission.Submission.submit`."""
        world, plan = self.world, self.world.plan
        known = yield self.call("job", lambda: world.mds.job(job))
        if known is not None and known.state != "loading":
            return
        graph = world.graph(job)
        spec = JobSpec(
            tasks=len(graph.deps),
            sinks=len(graph.sinks),
            pages=len(graph.firsts),
            first_tasks=graph.firsts,
            parallelism=plan.parallelism,
            ring=world.ring,
            seconds=DEADLINE,
            inputs=sorted(set(graph.inputs.values())),
            targets=b"targets",
            policy=plan.policy,
            budget=Budget(plan.invocations, Prices(0.0, 1.0)) if "budget" in plan.faults else None,
        )
        records = self.first_records(graph.leaves)
        pages = graph.pages(marks)
        if (yield from self.write(job, spec, pages, records)) == "running":
            yield from self.start(job, records)

    def write(self, job: str, spec: JobSpec, pages: list[bytes], records: list[Record]) -> Generator[Any, Any, str]:
        """All of a job, and the state running; returns the state."""
        world, lease = self.world, self.world.plan.lease
        state: str = yield self.call("submit", lambda: world.mds.submit(job, spec, pages, records, lease))
        world.note(self.process.name, f"submits {job}: {[list(record.entries) for record in records]}")
        return state

    def start(self, job: str, records: list[Record]) -> Control:
        """Invoke the first executors."""
        for record in records:
            invocation = Invocation(job, record.id, first_pages(record.entries, self.world.graph(job).firsts))
            yield from self.world.invoke(self.process, invocation)

    def first_records(self, leaves: list[int]) -> list[Record]:
        return [Record(str(number), group) for number, group in enumerate(self.groups(leaves))]

    def groups(self, tasks: list[int]) -> Sequence[Sequence[int]]:
        """Tasks for new executors to start from."""
        plan, policy = self.world.plan, self.world.policy()
        if policy.at_once:
            return policy.initial_groups(tasks, plan.parallelism)
        return contiguous(tasks, min(plan.groups, plan.parallelism))

    def restore(self, job: str, missing: dict[int, bytes]) -> Control:
        """As `wukong_scheduler.restoring.Restoring.restore`; marks stand for their hashes."""
        world, plan = self.world, self.world.plan
        info = yield self.call("job", lambda: world.mds.job(job))
        if info is None or info.state not in ("running", "done"):
            return
        marks = yield self.call("results", lambda: world.mds.results(job, [*missing]))
        lost = [(task, mark) for (task, mark), found in zip(missing.items(), marks, strict=True) if mark == found]
        if not lost:
            return
        groups = [[(task, missing[task]) for task in group] for group in self.groups([task for task, _ in lost])]
        created = yield self.call("lose_results", lambda: world.mds.lose_results(job, groups, plan.lease))
        if created:
            world.note(self.process.name, f"has {[task for task, _ in lost]} of {job} computed again by {created}")
        for record in created:
            yield from world.invoke(self.process, Invocation(job, record, ()))

    def sweeps(self) -> Control:
        """As `wukong_scheduler.sweeper.Sweeper`."""
        world, lease = self.world, self.world.plan.lease
        pause = lease
        while world.open_jobs or world.mds.listed() or world.forgetting:
            yield Sleep(pause)
            pause = lease
            try:
                if (yield from self.sweep_all()):
                    pause = lease / 4
            except ClusterUnavailable:
                pass

    def sweep_all(self) -> Generator[Any, Any, bool]:
        """Sweep every job once, unless the store is another one than in the last sweep."""
        self.resting = False
        for job, _ in (yield self.call("jobs", self.world.mds.jobs)):
            if self.process.met != self.met:
                self.met = self.process.met
                self.resting = True
                self.world.note(self.process.name, "sweeps nothing for a lease")
                return False
            yield from self.sweep(job)
        return True

    def sweep(self, job: str) -> Control:
        world = self.world
        found = yield self.call("sweep", lambda: world.mds.sweep(job, world.plan.lease))
        if found.state != "running":
            yield from self.clear(job)
            return
        verdict = judge(found, "executor", world.plan.deaths)
        if found.due:
            world.note(self.process.name, f"finds {[due.record for due in found.due]} of {job} due")
        if verdict.failure is not None:
            failure = verdict.failure
            world.note(self.process.name, f"fails {job}: {failure.message}")
            yield self.call("close", lambda: world.mds.close(job, "failed", failure))
        again: list[str] | None = []
        if verdict.restart:
            world.promises.stalled(job)
            lease = world.plan.lease
            again = yield self.call("restart", lambda: world.mds.restart(job, found.generation, lease))
            world.note(self.process.name, f"starts {job} again: {again}")
        if again is None:
            failure = stalled(found.generation, "its first records are lost too")
            yield self.call("close", lambda: world.mds.close(job, "failed", failure))
        for record in (*verdict.invoke, *(again or ())):
            yield from world.invoke(self.process, Invocation(job, record, ()))

    def clear(self, job: str) -> Control:
        """Remove a job that was left behind: its release was forgotten."""
        world = self.world
        info = yield self.call("job", lambda: world.mds.job(job))
        if info is None:
            yield self.call("purge", lambda: world.mds.purge(job, TOMBSTONE))
        elif forgotten(info, world.loop.now, 0.0, KEEP):
            yield from self.release(job)

    def ended(self, job: str, record: str, holder: str, at_once: bool) -> Control:
        """As `wukong_scheduler.sweeper.Sweeper.ended`."""
        mds = self.world.mds
        if (yield self.call("lost", lambda: mds.lost(job, record, holder, "the platform says so", at_once))):
            self.world.note(self.process.name, f"is told that {holder or 'an invocation'} of {job}/{record} is lost")
            if self.process.met == self.met and not self.resting:
                yield from self.sweep(job)

    def cancel(self, job: str) -> Control:
        """As `wukong_scheduler.removal.Removal.cancel`."""
        world = self.world
        failure = Failure(error="JobCancelled", message="the job was cancelled")
        state = yield self.call("close", lambda: world.mds.close(job, "cancelled", failure))
        if state == "cancelled":
            yield from self.purge_values([job])

    def release(self, job: str) -> Control:
        """As `wukong_scheduler.removal.Removal.release`."""
        world = self.world
        info = yield self.call("job", lambda: world.mds.job(job))
        if info is None:
            return
        state = info.state
        if state in ("loading", "running"):
            failure = Failure(error="JobCancelled", message="the job was released")
            state = yield self.call("close", lambda: world.mds.close(job, "cancelled", failure))
        if state != "gone":
            owners = yield self.call("drop_inputs", lambda: world.mds.drop_inputs(job))
            yield from self.purge_values([job, *owners])
            yield self.call("purge", lambda: world.mds.purge(job, TOMBSTONE))
            world.note(self.process.name, f"has purged {job}")
        if state not in ENDED_EMPTY:
            yield from self.purge_late(job)

    def purge_late(self, job: str) -> Control:
        """What was written before the tombstone stood, by somebody who looked before it did."""
        nodes, latency = self.world.nodes, self.world.plan.latency
        for node in range(len(nodes)):
            yield Call(latency, partial(nodes.purge, job, node), latency)

    def purge_values(self, owners: list[str]) -> Control:
        nodes = self.world.nodes
        for owner in owners:
            for node in range(len(nodes)):
                chance = self.world.chance
                yield Call(chance.latency(), lambda owner=owner, node=node: nodes.purge(owner, node), chance.latency())

    def call(self, name: str, effect: Any) -> Call:
        return self.world.chance.control_call(self.process, effect, name)
