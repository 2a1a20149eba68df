"""Who says that a result is lost: what is believed, what is refused, and what then happens."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from wukong.errors import ClusterUnavailable, InvalidGraph, UnknownJob
from wukong.kvs.ring import Node, Ring
from wukong.mds.records import Record
from wukong.mds.store import JobSpec, Sync
from wukong.rpc.v1 import scheduler_pb2
from wukong.testing.clock import Clock
from wukong.testing.mds import MemoryMds
from wukong.values.mark import mark_hash
from wukong_scheduler.restoring import Restoring
from wukong_scheduler.targets import Targets

MARKS = {3: b"M" + b"three" * 30, 5: b"M" + b"five" * 30, 7: b"I7"}


class Stage:
    """A job that is done, and a scheduler's part that is told of its results."""

    def __init__(self, prolonged: Any = None, **fields: Any) -> None:
        self.clock = Clock()
        self.mds = MemoryMds(self.clock)
        self.invoked: list[str] = []
        self.prolonged: list[float] = []
        ring = Ring(1, (Node("n", "h:1"),))
        spec = JobSpec(9, 3, 1, [0], 4, ring, 1000.0, targets=Targets([3, 5, 7]).encode(), **fields)
        self.mds.submit("j", spec, [b"page"], [Record("0", [0])], 10.0)
        self.mds.begin("j", "0", "t", 10.0)
        self.mds.sync("j", "0", "t", 0, 10.0, Sync(results=[*MARKS.items()], end=True))

        def prolong(job: str, info: object, seconds: float) -> None:
            self.prolonged.append(seconds)
            if prolonged is not None:
                raise prolonged

        removal = cast("Any", SimpleNamespace(prolong=prolong))
        self.restoring = Restoring(self.mds, removal, lambda job, records: self.invoked.extend(records), 10.0, 60.0)

    def restore(self, job: str = "j", **hashes: str) -> None:
        missing = [scheduler_pb2.MissingResult(task=int(task[1:]), mark_hash=hashes[task]) for task in hashes]
        self.restoring.restore(job, missing)

    @property
    def state(self) -> str:
        info = self.mds.job("j")
        assert info is not None
        return info.state


def test_a_result_is_taken_away_by_the_hash_of_its_mark() -> None:
    stage = Stage()
    stage.restore(t3=mark_hash(MARKS[3]))
    assert stage.invoked == ["lost.1"]
    assert stage.state == "running"
    assert stage.mds.results("j", [3, 5, 7]) == [None, MARKS[5], MARKS[7]]
    stage.restore(t3=mark_hash(MARKS[3]))
    assert stage.invoked == ["lost.1"]


def test_the_policy_says_how_many_start() -> None:
    hashes = {f"t{task}": mark_hash(MARKS[task]) for task in (3, 5)}
    for policy, started in (("heartbeat", 1), ("stateless", 2)):
        stage = Stage(policy=policy)
        stage.restore(**hashes)
        assert len(stage.invoked) == started


@pytest.mark.parametrize(
    ("hashes", "why"),
    [
        ({"t3": "ab"}, "no mark's hash"),
        ({"t3": ""}, "no mark's hash"),
        ({"t3": mark_hash(MARKS[3]).upper()}, "no mark's hash"),
        ({"t4": "0" * 64}, "task 4 is no target"),
        ({"t3": mark_hash(MARKS[3]), "t99": "0" * 64}, "task 99 is no target"),
        ({"t7": mark_hash(MARKS[7])}, "cannot be lost"),
    ],
)
def test_what_cannot_be_is_refused_whole(hashes: dict[str, str], why: str) -> None:
    stage = Stage()
    with pytest.raises(InvalidGraph, match=why):
        stage.restore(**hashes)
    assert (stage.state, stage.invoked) == ("done", [])


def test_another_mark_changes_nothing_and_neither_does_nothing() -> None:
    stage = Stage()
    stage.restore(t3=mark_hash(MARKS[5]))
    stage.restore()
    assert (stage.state, stage.invoked, stage.prolonged) == ("done", [], [])


def test_a_job_that_ended_otherwise_is_left_alone_and_no_job_is_unknown() -> None:
    stage = Stage()
    stage.mds.purge("j", 100.0)
    stage.restore(t3=mark_hash(MARKS[3]))
    assert (stage.state, stage.invoked) == ("gone", [])
    with pytest.raises(UnknownJob):
        stage.restore("other", t3=mark_hash(MARKS[3]))


@pytest.mark.parametrize("prolonged", [None, ClusterUnavailable("a node is away")])
def test_a_job_that_would_expire_is_prolonged_where_that_can_be(
    prolonged: ClusterUnavailable | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(prolonged)
    monkeypatch.setattr("wukong_scheduler.restoring.time.time", lambda: stage.clock() + 1890.0)
    stage.restore(t3=mark_hash(MARKS[3]))
    assert len(stage.prolonged) == 1
    assert stage.prolonged[0] >= 60.0
    assert stage.invoked == ["lost.1"]
