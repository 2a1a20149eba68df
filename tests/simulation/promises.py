"""The promises of the design, checked while a run goes on and after it.

Each check has the promise's name. `Broken` says which one was broken and how.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from wukong.mds import keys
from wukong.mds.failure import Failure
from wukong.mds.store import Begun, Status, Sync, Synced, Verdict
from wukong.testing.simulation.graph import Value
from wukong.testing.simulation.values import Intruded
from wukong_scheduler.sweeping import MAX_INVOCATIONS


class Broken(Exception):
    """A promise was broken."""

    def __init__(self, promise: str, how: str) -> None:
        super().__init__(f"{promise}: {how}")
        self.promise = promise


class Promises:
    """What must hold, whatever happens."""

    def __init__(self, world: Any) -> None:
        self._world = world
        #: (job, task) -> the tokens of the holders that ran it.
        self.runs: dict[tuple[str, int], list[str]] = {}
        #: (job, record) -> its holders, in order.
        self.holders: dict[tuple[str, str], list[Any]] = {}
        #: job -> all that ever held a record of it, those too that the metadata store has forgotten.
        self._held: dict[str, list[Any]] = {}
        #: How the jobs ended.
        self.ends: list[str] = []
        #: (job, record) -> the tasks that it gave away.
        self._given: dict[tuple[str, str], set[int]] = {}
        self._owners: dict[tuple[str, int], str] = {}
        #: (job, fan-in) -> the edges that were marked when it was claimed.
        self._claimed: dict[tuple[str, int], set[int]] = {}
        self._forgot = False

    # While it runs.

    def began(self, job: str, record: str, token: str, begun: Begun) -> None:
        """One owner: a record that is taken over had lost its holder."""
        holders = self.holders.setdefault((job, record), [])
        holder = self._world.executions[token]
        if holder in holders:
            return
        for former in holders:
            if not self._disturbed(former):
                raise Broken("one owner", f"{holder.name} took {job}/{record} from {former.name}, which is well")
        for child in begun.claims:
            marked = self._world.marked(job, child)
            if missing := sorted(self._claimed.get((job, child), set()) - marked):
                raise Broken(
                    "write before count",
                    f"edges {missing} of fan-in {child} were marked when {job}/{record} claimed it, and are no more",
                )
        holders.append(holder)
        self._held.setdefault(job, []).append(holder)
        if begun.begins != len(holders):
            raise Broken("one owner", f"{job}/{record} counts {begun.begins} holders; it had {len(holders)}")

    def came_early(self, job: str, record: str) -> None:
        """Live: whoever is invoked finds a record to begin, or one that ended; else only a sweep would help."""
        if not self._forgot:
            raise Broken("live", f"an executor was invoked for {job}/{record} before that was there")

    def runs_task(self, execution: Any, task: int, inputs: list[int]) -> None:
        """Exactly once, one owner: who runs a task holds its record, and nobody ran it but records taken over."""
        world, job = self._world, execution.job
        if inputs != execution.graph.deps[task]:
            raise Broken("result", f"task {task} of {job} is to run on {inputs}")
        if execution.walk.pulls.running == task:
            return  # once more, for a value that is lost
        self.runs.setdefault((job, task), []).append(execution.token)
        if execution.process.disturbed or not world.is_running(job):
            return
        if task in self._given.get((job, execution.record), ()):
            raise Broken("one owner", f"{execution.name} runs task {task} of {job}, which was given away")
        holder = world.holder(job, execution.record)
        if holder != execution.token:
            raise Broken(
                "one owner",
                f"{execution.name} runs task {task} of {job}/{execution.record}, which "
                + (f"{holder} holds" if holder else "has ended"),
            )

    def gave_up(self, execution: Any, task: int) -> None:
        """What this run of a task gives does not count: somebody else is to run it."""
        self.runs[execution.job, task].remove(execution.token)

    def synced(self, job: str, record: str, sync: Sync, synced: Synced) -> None:
        """Write before count: what is marked can be read. One owner: a fan-in stays with the record that claimed it."""
        if synced.status is not Status.OK:
            return
        for arrival, answer in zip(sync.arrivals, synced.answers, strict=True):
            if answer.verdict is Verdict.CLAIMED:
                owner = self._owners.setdefault((job, arrival.child), record)
                if owner != record:
                    raise Broken("one owner", f"fan-in {arrival.child} of {job} was claimed by {owner} and {record}")
                # Known from the answer, as far as that says it: what the store has is what is to be checked.
                marked = {edge for marks in (arrival.marks, answer.marks) for edge, _ in marks}
                self._claimed.setdefault((job, arrival.child), marked)
            for edge, mark in arrival.marks:
                self._readable(job, f"edge {edge} of {arrival.child}", mark)
        for task, mark in sync.results:
            self._readable(job, f"the result {task}", mark)

    def offloaded(self, job: str, record: str, pieces: Any) -> None:
        """Write before count, for the inputs of pieces."""
        given = self._given.setdefault((job, record), set())
        for piece in pieces:
            given.update(piece.entries)
            for task, mark in piece.inputs:
                if mark:
                    self._readable(job, f"the input {task} of a piece", mark)

    def _disturbed(self, holder: Any) -> bool:
        """Whether a holder had a reason not to keep its lease."""
        return bool(holder.process.disturbed)

    def _readable(self, job: str, what: str, mark: bytes) -> None:
        nodes = self._world.nodes
        if nodes.readable(mark) or nodes.lost(mark) or not self._world.is_running(job):
            return
        # Where it is forgotten that its users are done, a value that was freed is named again, and computed again.
        if not (self._forgot and nodes.freed(mark)):
            raise Broken("write before count", f"{what} of {job} counts, but {mark.decode()} cannot be read")

    def record_ended(self, execution: Any) -> None:
        """Nothing left: an executor whose record has ended needs no value any more."""
        if values := sorted(execution.memory.by_task):
            raise Broken("nothing left", f"{execution.name} still has the values {values} of {execution.job}")

    # After it.

    def stalled(self, job: str) -> None:
        """Live: what is forgotten is told again, so a job that runs has a record; else it has to start again."""
        raise Broken("live", f"{job} has no record left, and not all results")

    def forgot(self) -> None:
        """The metadata store is what it was: who did something since then is told so, and may have to do it again."""
        world = self._world
        self._forgot = True
        for execution in world.executions.values():
            execution.process.disturbed = execution.process.disturbed or "outlived the metadata store"
        for (job, record), holders in self.holders.items():
            live = world.record(job, record)
            del holders[live.begins if live is not None else 0 :]
        self._given = {
            (job, record): {task for _, tasks in live.given.values() for task in tasks}
            for job, record, live in world.records()
        }
        self._owners = dict(world.owners())
        self._claimed = {(job, child): world.marked(job, child) for job, child in self._owners}

    def unwanted(self, token: str) -> None:
        """The job was done, and runs again for other things than this holder has to do, who does not know that yet."""
        process = self._world.executions[token].process
        process.disturbed = process.disturbed or "was not wanted any more"

    def ended(self, job: str, state: str, failure: Failure | None, results: Mapping[int, Value]) -> None:
        """Ended as the faults allow: with its result, or with an error that has a cause."""
        world = self._world
        name = failure.error if failure and state == "failed" else state
        self.ends.append(name)
        if state == "done":
            self._results(job, results)
            self._exactly_once(job)
        elif state == "cancelled":
            if not world.cancelled(job):
                raise Broken("result", f"{job} was cancelled by nobody")
        elif failure is not None and failure.error == Intruded.__name__:
            raise Broken("isolated", failure.message)
        elif failure is None or not self._allowed(job, failure):
            raise Broken("result", f"{job} failed for no good reason: {failure}")

    def _allowed(self, job: str, failure: Failure) -> bool:
        chance = self._world.chance
        if failure.error == "TaskError":
            return self._world.fails(job, failure.task)
        if failure.error == "BudgetExceeded":
            return "budget" in self._world.plan.faults
        if failure.error == "InputLost":
            return failure.task in self._world.graph(job).inputs and "node-loss" in chance.happened
        if failure.error == "ExecutorLost":
            disturbed = sum(map(self._disturbed, self._held.get(job, ())))
            return "probable_cause" in failure.attributes and disturbed >= self._world.plan.deaths
        if failure.error == "ClusterUnavailable":
            return any(name.startswith(f"{job}/") and lost >= MAX_INVOCATIONS for name, lost in chance.lost.items())
        return False

    def missed(self, job: str, sink: int, mark: bytes | None) -> None:
        """Result: what a job that is done has not, was lost; or somebody misses it too, after a fault."""
        if mark is None and "node-loss" not in self._world.chance.happened:
            raise Broken("result", f"{job} is done without its result {sink}")
        if mark is not None and not self._world.nodes.lost(mark):
            raise Broken("result", f"{job} is done, but its result {sink} cannot be read from {mark.decode()}")

    def _results(self, job: str, results: Mapping[int, Value]) -> None:
        graph = self._world.graph(job)
        values = graph.evaluate()
        for sink in graph.sinks:
            if results[sink] != values[sink]:
                raise Broken("result", f"result {sink} of {job} is wrong")

    def _exactly_once(self, job: str) -> None:
        if self._forgot or any(name == job and len(holders) > 1 for (name, _), holders in self.holders.items()):
            return
        counts = Counter({task: len(tokens) for (name, task), tokens in self.runs.items() if name == job})
        for task in range(len(self._world.graph(job).deps)):
            if counts[task] != 1:
                raise Broken("exactly once", f"task {task} of {job} ran {counts[task]} times; no record was taken over")

    def nothing_left(self) -> None:
        """When all jobs are purged: their tombstones, and what was on its way when they were purged."""
        world = self._world
        rings = {keys.ring(0), keys.RING_NEWEST}
        tombstones = {keys.meta(job) for job in world.jobs}
        left = set(world.mds.keys()) - rings - tombstones
        if self._forgot:  # a release of inputs too; nobody knows any more that they are to be removed before their time
            left -= {keys.job_inputs(job) for job in world.jobs}
            left -= {keys.uploaded_input(content) for graph in world.jobs.values() for content in graph.inputs.values()}
        if left:
            raise Broken("nothing left", f"the metadata store still has {sorted(left)}")
        for owner, name, token, late in world.nodes.left():
            if not (self._forgot or (late and self._writer_is_gone(token))):
                raise Broken("nothing left", f"the KVS still has the value {name} of {owner}, written by {token}")
        world.loop.now += 30 * 24 * 3600.0
        if left := set(world.mds.keys()) - rings or world.nodes.left():
            raise Broken("nothing left", f"{left} outlive their time")

    def _writer_is_gone(self, token: str) -> bool:
        """Whether a writer died before it could remove what it wrote; or is a client."""
        writer = self._world.executions.get(token)
        return writer is None or not writer.process.alive
