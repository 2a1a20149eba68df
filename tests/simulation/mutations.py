"""Ways to break the system on purpose, each of which the simulation has to catch: it can fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from tests.simulation.executor import Execution
from tests.simulation.world import Outcome, World, simulate

from wukong.engine.walk import Walk
from wukong.mds.store import Answer, Status, Verdict
from wukong.testing.mds_fan_ins import FanIns
from wukong.testing.mds_job import MemoryJob
from wukong.testing.mds_record import LiveRecord
from wukong.testing.mds_uploads import Uploads
from wukong.testing.mds_values import NamedValues
from wukong.testing.simulation.loop import Control
from wukong.testing.simulation.values import SimulatedValues

_begin, _sync, _offload, _arrive = MemoryJob.begin, MemoryJob.sync, MemoryJob.offload, FanIns.arrive
_drop, _lost = Uploads.drop, MemoryJob.lost


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
        self.fan_ins.forget(self.records[record].claims)
    return synced


def _every_commit_counts(self: MemoryJob, results: Any, now: int) -> None:
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
            self.fan_ins.marks.setdefault(arrival.child, {}).update(arrival.marks)
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


def _cut_claims(self: Walk, running_for: float) -> Any:
    self._claims, kept = {}, self._claims
    try:
        return _walk_cut(self, running_for)
    finally:
        self._claims = kept


_walk_cut = Walk._cut
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


def _job(name: str, instead: Any) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: patch.object(MemoryJob, name, instead)


def _fan_ins(instead: Any) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: patch.object(FanIns, "arrive", instead)


#: What is broken -> does so for a while.
MUTATIONS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "begin ignores the lease": _job("begin", _begin_without_lease),
    "claims are dropped at a take-over": _job("begin", _begin_without_claims),
    "what was given away runs again": _job("begin", _begin_without_given),
    "a sweep blocks the invocation that it asked for": _job("begin", _sweep_that_blocks),
    "the token is not checked": _job("_held", _without_token),
    "a record ends although it claimed something": _job("sync", _end_with_claims),
    "claims are freed before their record ends": _job("sync", _free_claims_early),
    "a result that is committed twice counts twice": _job("_commit", _every_commit_counts),
    "an offload that is repeated gives away again": _job("offload", _offload_anew),
    "offers count before they are written": _fan_ins(_offers_count),
    "a claim cannot be repeated": _fan_ins(_claims_once),
    "a fan-in is claimed by all": _fan_ins(_claimed_by_all),
    "a mark comes before its value": lambda: patch.object(SimulatedValues, "store", _mark_first),
    "offloads are known by their sequence only": lambda: patch.object(Execution, "offload_id", _id_by_sequence),
    "tokens are numbers of attempts": lambda: patch.object(World, "new_token", _attempt_number),
    "the end of any invocation ends the lease": _job("lost", _lost_by_anybody),
    "what a release frees is told once": lambda: patch.object(Uploads, "drop", _freed_once),
    "a late writer survives the purge": _job("sync", _sync_after_purge),
    "there is no pulse": lambda: patch.object(Execution, "pulse", _no_pulse),
    "a pulled task makes others ready": lambda: patch.object(Walk, "task_finished", _propagate_pulled),
    "a value is freed with its first user": lambda: patch.object(NamedValues, "unnamed", _freed_with_first),
    "nobody holds what it has stored": lambda: patch.object(NamedValues, "named", _named_without_hold),
    "claimed tasks are given away": lambda: patch.object(Walk, "_cut", _cut_claims),
}


def catch(mutation: str, seeds: Iterable[int]) -> Outcome | None:
    """The first run in which a promise is broken, with the system broken on purpose; None if all keep them."""
    with MUTATIONS[mutation]():
        return next((outcome for outcome in map(simulate, seeds) if outcome.broken), None)
