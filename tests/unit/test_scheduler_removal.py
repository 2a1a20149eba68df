"""What a release removes, when an executor that was asleep wakes in the middle of it and writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from wukong.errors import ClusterUnavailable
from wukong.kvs.ring import Node, Ring
from wukong.kvs.store import Counters
from wukong.mds.failure import Failure
from wukong.mds.records import Record
from wukong.mds.store import JobSpec, Sync
from wukong.testing.clock import Clock
from wukong.testing.kvs import MemoryKvs
from wukong.testing.mds import MemoryMds
from wukong_executor import late
from wukong_scheduler.removal import Removal

MINUTE = 60.0
RING = Ring(1, (Node("n", "h:1"),))


class Rings:
    """One ring, for ever."""

    def newest(self) -> Ring:
        return RING

    def pinned(self, version: int) -> Ring:
        return RING


class Stage:
    """A job with a value, the scheduler's part that removes it, and somebody whose calls come in between."""

    def __init__(self) -> None:
        self.mds = MemoryMds(Clock())
        self.kvs = MemoryKvs()
        self.removal = Removal(self.mds, cast("Any", Rings()), cast("Any", self))
        spec = JobSpec(1, 1, 1, [0], 1, RING, 1000.0)
        self.mds.submit("j", spec, [b"page"], [Record("0", [0])], 10.0)
        self.mds.begin("j", "0", "t", 10.0)
        self.kvs.put("j", "0", "t", [b"value"], MINUTE)

    def store(self, ring: Ring, newest: Callable[[], Ring | None]) -> MemoryKvs:
        """As `wukong.kvs.access.Access.store`."""
        return self.kvs

    def end(self) -> None:
        self.mds.sync("j", "0", "t", 0, 10.0, Sync(results=[(0, b"I1")], end=True))

    def state(self) -> str:
        info = self.mds.job("j")
        assert info is not None
        return info.state

    def write_late(self) -> None:
        """An executor that slept through the end stores what it has, reports, is refused, and looks."""
        self.kvs.put("j", "0", "late", [b"late"], MINUTE)
        assert not self.mds.sync("j", "0", "late", 0, 10.0, Sync()).answers
        late.remove(self.mds, self.kvs, "j")


def between(stage: Stage, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, before: bool) -> None:
    """Have the late writer come in just before or after a call of the removal takes effect, the first time."""
    call, comes = getattr(owner, name), [stage.write_late]

    def called(*args: Any) -> Any:
        if before and comes:
            comes.pop()()
        answer = call(*args)
        if comes:
            comes.pop()()
        return answer

    monkeypatch.setattr(owner, name, called)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("call", ["job", "drop_inputs", "purge", "kvs.purge"])
@pytest.mark.parametrize("end", ["done", "running", "cancelled"])
def test_a_release_leaves_nothing_whenever_somebody_writes_late(
    end: str, call: str, before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage()
    if end == "done":
        stage.end()
    if end == "cancelled":
        stage.mds.close("j", "cancelled", Failure("JobCancelled", "why"))
    owner: object = stage.kvs if call.startswith("kvs.") else stage.mds
    between(stage, monkeypatch, owner, call.removeprefix("kvs."), before)
    stage.removal.release("j")
    assert stage.state() == "gone"
    assert stage.kvs.keys() == []


def test_what_is_written_after_a_release_its_writer_removes() -> None:
    stage = Stage()
    stage.end()
    stage.removal.release("j")
    stage.write_late()
    assert stage.kvs.keys() == []


def test_what_is_written_late_for_a_job_that_is_done_stays_until_its_release() -> None:
    stage = Stage()
    stage.end()
    stage.write_late()
    assert len(stage.kvs.keys()) == 2
    stage.removal.release("j")
    assert stage.kvs.keys() == []


def test_a_release_that_was_cut_short_after_the_tombstone_is_completed_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    stage.end()

    def cut_short(job: str, seconds: float) -> None:
        stage.write_late()
        purge(job, seconds)
        raise ClusterUnavailable("the scheduler was killed here")

    purge = stage.mds.purge
    monkeypatch.setattr(stage.mds, "purge", cut_short)
    with pytest.raises(ClusterUnavailable):
        stage.removal.release("j")
    assert stage.state() == "gone"
    assert len(stage.kvs.keys()) == 1
    stage.removal.release("j")
    assert stage.kvs.keys() == []


def test_a_job_that_is_over_is_asked_for_its_values_once() -> None:
    stage = Stage()
    stage.mds.close("j", "failed", Failure("TaskError", "why"))
    before = stage.kvs.counters()
    stage.removal.release("j")
    assert stage.kvs.counters() == Counters(before.round_trips + 1, before.bytes_read, before.bytes_written)
