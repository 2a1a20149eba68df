"""Ways to break the system on purpose, each of which the simulation has to catch: it can fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from tests.simulation.executor import Execution
from tests.simulation.scheduler import Scheduler
from tests.simulation.world import Outcome, World, simulate

from wukong.engine.cuts import Cuts
from wukong.engine.walk import Walk
from wukong.mds.records import Record
from wukong.mds.store import Answer, JobSpec, Status, Sync, Verdict
from wukong.testing.mds_fan_ins import FanIns
from wukong.testing.mds_job import MemoryJob
from wukong.testing.mds_record import LiveRecord
from wukong.testing.mds_uploads import Uploads
from wukong.testing.mds_values import NamedValues
from wukong.testing.simulation.loop import Control
from wukong.testing.simulation.values import Nodes, SimulatedValues
from wukong_executor.acknowledged import Acknowledged

_begin, _sync, _offload, _arrive = MemoryJob.begin, MemoryJob.sync, MemoryJob.offload, FanIns.arrive
_drop, _lost, _lose_results = Uploads.drop, MemoryJob.lost, MemoryJob.lose_results
_stamp, _write = Acknowledged.stamp, Scheduler.write


def _begin_without_lease(self: MemoryJob, record: str, *args: Any) -> Any:
    if (live := self.records.get(record)) is not None:
        live.until = 0
    return _begin(self, record, *args)


def _begin_without_claims(self: MemoryJob, *args: Any) -> Any:
    return replace(_begin(self, *args), claims=[])


def _begin_without_given(self: MemoryJob, *args: Any) -> Any:
    return replace(_begin(self, *args), given=[])


def _without_token(self: MemoryJob, record: str, token: str, generation: int) -> Any:
    if self.meta.state != "running":
        return Status.STOP
    return self.records.get(record) or Status.GONE


def _end_with_claims(self: MemoryJob, record: str, *args: Any) -> Any:
    synced = _sync(self, record, *args)
    if synced.status is Status.OK and args[-1].end and not synced.ended:
        self.records.pop(record)
        return replace(synced, ended=True)
    return synced


def _free_claims_early(self: MemoryJob, record: str, *args: Any) -> Any:
    synced = _sync(self, record, *args)
    if synced.status is Status.OK and record in self.records:
        self.fan_ins[-1].forget(self.records[record].claims)
    return synced


def _every_commit_counts(self: MemoryJob, results: Any, live: LiveRecord, now: int) -> None:
    for sink, mark in results:
        self.results[sink] = mark
        self.meta.left -= 1
    if results and self.meta.left <= 0:
        self.meta.end("done", now)


def _sweep_that_blocks(self: MemoryJob, record: str, token: str, now: int, *args: Any) -> Any:
    live = self.records.get(record)
    if live is not None and live.invokes > 1:
        live.holder, live.until = live.holder or "sweep", max(live.until, live.look)
    return _begin(self, record, token, now, *args)


def _offers_count(self: FanIns, record: str, arrival: Any) -> Answer:
    answer = _arrive(self, record, arrival)
    if answer.verdict is Verdict.NOT_YET and arrival.offers:
        missing = f"S|job0|{arrival.child}|nobody|1".encode()
        self.marks.setdefault(arrival.child, {}).update((edge, missing) for edge in arrival.offers)
    return answer


def _claims_once(self: FanIns, record: str, arrival: Any) -> Answer:
    if self.owners.get(arrival.child) == record:
        return Answer(Verdict.TAKEN)
    return _arrive(self, record, arrival)


def _claimed_by_all(self: FanIns, record: str, arrival: Any) -> Answer:
    answer = _arrive(self, record, arrival)
    if answer.verdict is Verdict.TAKEN:
        self.owners[arrival.child] = None
        return _arrive(self, record, arrival)
    return answer


def _offload_anew(self: MemoryJob, record: str, token: str, generation: int, offload: str, *args: Any) -> Any:
    if (live := self.records.get(record)) is not None and offload in live.given:
        offload = f"{offload}-again"
    return _offload(self, record, token, generation, offload, *args)


def _lost_by_anybody(self: MemoryJob, record: str, holder: str, *args: Any) -> bool:
    live = self.records.get(record)
    return _lost(self, record, (live and live.holder) or holder, *args)


def _lost_uncompared(self: MemoryJob, group: Any) -> list[tuple[int, bytes]]:
    for sink, _ in group:
        self.results.pop(sink, None)
    return list(group)


def _restoring_uncounted(self: MemoryJob, *args: Any) -> list[str]:
    left = self.meta.left
    created = _lose_results(self, *args)
    self.meta.left = left
    return created


def _given_as_new(self: MemoryJob, *args: Any) -> Any:
    known = set(self.records)
    answer = _offload(self, *args)
    for record in self.records.keys() - known:
        self.records[record].restores = False
    return answer


def _freed_once(self: Uploads, job: str) -> list[str]:
    freed = _drop(self, job)
    self.forget(job)
    return freed


def _mark_first(self: SimulatedValues, owner: str, name: str, packed: Any, token: str, seconds: float) -> bytes:
    return f"S|{owner}|{name}|{token}|{packed.nbytes}".encode()


def _no_pulse(self: Execution) -> Control:
    yield from ()


def _id_by_sequence(self: Execution, instruction: Any) -> str:
    return f"{self.record}-{instruction.sequence}"


def _attempt_number(self: World, execution: Execution) -> str:
    held = self.mds._jobs.get(execution.job)
    live = held.records.get(execution.record) if held is not None else None
    token = f"{execution.record}-attempt-{live.begins + 1 if live is not None else 0}"
    self.executions[token] = execution
    return token


def _sync_after_purge(self: MemoryJob, record: str, *args: Any) -> Any:
    if self.meta.state == "gone":
        for arrival in args[-1].arrivals:
            self.fan_ins[-1].marks.setdefault(arrival.child, {}).update(arrival.marks)
        self.results.update(args[-1].results)
    return _sync(self, record, *args)


_named, _unnamed = NamedValues.named, NamedValues.unnamed


def _freed_with_first(self: NamedValues, marks: Iterable[bytes]) -> list[bytes]:
    marks = list(marks)
    freed = _unnamed(self, marks)
    for mark in marks:
        found = self._understand(mark, self._job)
        if found is not None and self.places.pop(found[0], 0):
            freed.append(found[0])
    return freed


def _named_without_hold(self: NamedValues, mark: bytes, live: LiveRecord) -> None:
    before = set(live.values)
    _named(self, mark, live)
    for value in set(live.values) - before:
        del live.values[value]
        self.places[value] -= 1


def _cut_claims(self: Cuts, *arguments: Any) -> Any:
    self._claims, kept = (), self._claims
    try:
        return _cut(self, *arguments)
    finally:
        self._claims = kept


_cut = Cuts.cut
_walk_task_finished = Walk.task_finished


def _propagate_pulled(self: Walk, task: int, seconds: float, now: float, large: bool = False) -> None:
    pulled = self.pulls.running == task
    _walk_task_finished(self, task, seconds, now, large)
    if pulled:
        for child, _, need in self._pages.of(task).out(task):
            if need == 1 and child not in self._known:
                self._holdings.expect(task)
                self._known.add(child)
                self._ready.append(child)


def _count_pulled(self: Walk, task: int, seconds: float, now: float, large: bool = False) -> None:
    pulled = self.pulls.running == task
    _walk_task_finished(self, task, seconds, now, large)
    if pulled:
        for child, edge, need in self._pages.of(task).out(task):
            if need > 1 and child not in self._known:
                self._holdings.expect(task)
                if self._fan_ins.arrive(child, edge, need, task, now):
                    self._known.add(child)
                    self._ready.append(child)


def _key_for_all(owner: str, name: str, token: str, stripe: int) -> tuple[str, str, str, int]:
    return owner, name, "", stripe


@dataclass(frozen=True)
class Mutation:
    """One way to break the system.

    Attributes:
        breaks: Does so for a while.
        faults: Those under which it shows; all that a seed has where there are none.
        raises: It shows in an error of the code that is given what cannot be.
    """

    breaks: Callable[[], AbstractContextManager[Any]]
    faults: tuple[str, ...] = ()
    raises: bool = False


def _instead(owner: Any, name: str, instead: Any, *faults: str) -> Mutation:
    return Mutation(lambda: patch.object(owner, name, instead), faults)


def _trust_answers(self: Execution, reported: set[int]) -> Any:
    self.acknowledged._server = self.process.met
    return []
    yield


def _leave(*_: Any) -> Control:
    return
    yield


def _end_in_trust(self: Acknowledged, call: Sync) -> Sync:
    return replace(_stamp(self, call), after=0, gave=())


def _invoke_first(self: Scheduler, job: str, spec: JobSpec, pages: list[bytes], records: list[Record]) -> Control:
    yield from self.start(job, records)
    return (yield from _write(self, job, spec, pages, records))


_PROTOCOL: dict[str, Mutation] = {
    # What the protocol marks with "loses".
    "attempt numbers given out by the scheduler": _instead(World, "new_token", _attempt_number, "duplicate", "pause"),
    "finding claims again only by re-reporting": _instead(MemoryJob, "begin", _begin_without_claims, "crash", "break"),
    "offload ids by sequence only": _instead(Execution, "offload_id", _id_by_sequence, "crash", "pause"),
    "trusting acknowledgements across an MDS restart": _instead(Execution, "send_again", _trust_answers, "forget"),
    # What else must be caught, whatever else is.
    "drop the token check": _instead(MemoryJob, "_held", _without_token, "duplicate", "pause"),
    "mark before the value is written": _instead(SimulatedValues, "store", _mark_first),
    "end although something was claimed": _instead(MemoryJob, "sync", _end_with_claims),
    "elide a fan-in that counts pulled tasks": _instead(Walk, "task_finished", _count_pulled, "node-loss"),
    "propagate from a pulled task": _instead(Walk, "task_finished", _propagate_pulled, "node-loss"),
    "stripes without the writer's token": _instead(Nodes, "key", staticmethod(_key_for_all), "crash", "pause"),
    "a claim freed before its record ends": _instead(MemoryJob, "sync", _free_claims_early, "break", "crash"),
    "a sweep that blocks the invocation it asked for": _instead(MemoryJob, "begin", _sweep_that_blocks),
    "invoking before open": _instead(Scheduler, "write", _invoke_first),
    "what is written late is left": _instead(Execution, "remove_late", _leave, "cancel", "pause"),
    "a release that looks for late writers only before its tombstone": _instead(
        Scheduler, "purge_late", _leave, "pause"
    ),
    "a purge that a late writer survives": _instead(MemoryJob, "sync", _sync_after_purge, "cancel", "pause"),
}

_OTHERS: dict[str, Mutation] = {
    "begin ignores the lease": _instead(MemoryJob, "begin", _begin_without_lease, "duplicate"),
    "what was given away runs again": _instead(MemoryJob, "begin", _begin_without_given, "crash"),
    "a result that is committed twice counts twice": _instead(MemoryJob, "_commit", _every_commit_counts),
    "an offload that is repeated gives away again": _instead(MemoryJob, "offload", _offload_anew, "repeat", "break"),
    "offers count before they are written": _instead(FanIns, "arrive", _offers_count),
    "a claim cannot be repeated": _instead(FanIns, "arrive", _claims_once),
    "a fan-in is claimed by all": _instead(FanIns, "arrive", _claimed_by_all, "crash", "pause"),
    "the end of any invocation ends the lease": _instead(MemoryJob, "lost", _lost_by_anybody, "duplicate", "crash"),
    "a lost result is taken away twice": _instead(MemoryJob, "_lose", _lost_uncompared, "node-loss"),
    "a result that was taken away does not count": _instead(
        MemoryJob, "lose_results", _restoring_uncounted, "node-loss"
    ),
    "what restores gives away new work": _instead(MemoryJob, "offload", _given_as_new, "node-loss", "hand-over"),
    "where a lost value is is not told again": _instead(
        *(Acknowledged, "note_healed", lambda *_: None),
        *("break", "cancel", "crash", "duplicate", "forget", "hand-over", "node-loss", "repeat", "restart"),
    ),
    "what a release frees is told once": _instead(Uploads, "drop", _freed_once, "restart"),
    "there is no pulse": _instead(Execution, "pulse", _no_pulse, "hold-lock"),
    "a value is freed with its first user": _instead(NamedValues, "unnamed", _freed_with_first),
    "nobody holds what it has stored": _instead(NamedValues, "named", _named_without_hold),
    "claimed tasks are given away": replace(_instead(Cuts, "cut", _cut_claims, "crash"), raises=True),
    "offloads are not sent again": _instead(Acknowledged, "note_offload", lambda *_: None, "forget"),
    "an end trusts a store that forgot": _instead(Acknowledged, "stamp", _end_in_trust, "forget"),
}

#: By what is broken.
MUTATIONS = _PROTOCOL | _OTHERS


def catch(name: str, seeds: Iterable[int]) -> Outcome | None:
    """The first run in which a promise is broken, with the system broken on purpose; None if all keep them.

    An error in code is no proof: the mutation may not fit what it breaks any more.
    """
    raises = MUTATIONS[name].raises
    outcomes = (run_broken(name, seed) for seed in seeds)
    return next((outcome for outcome in outcomes if outcome.broken and (raises or outcome.promise != "code")), None)


def run_broken(name: str, seed: int, tracing: bool = False) -> Outcome:
    """One run with the system broken on purpose."""
    mutation = MUTATIONS[name]
    with mutation.breaks():
        return simulate(seed, faults=mutation.faults or None, tracing=tracing)
