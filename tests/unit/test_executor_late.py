"""Whether an executor that ends removes what it has written."""

from __future__ import annotations

import pytest

from wukong.errors import ClusterUnavailable
from wukong.kvs.ring import Node, Ring
from wukong.mds.failure import Failure
from wukong.mds.records import Record
from wukong.mds.store import JobSpec, Sync
from wukong.testing.clock import Clock
from wukong.testing.kvs import MemoryKvs
from wukong.testing.mds import MemoryMds
from wukong_executor import late


@pytest.fixture
def mds() -> MemoryMds:
    mds = MemoryMds(Clock())
    spec = JobSpec(1, 1, 1, [0], 1, Ring(1, (Node("n", "h:1"),)), 1000.0)
    mds.submit("j", spec, [b"page"], [Record("0", [0])], 10.0)
    mds.begin("j", "0", "t", 10.0)
    return mds


@pytest.fixture
def kvs() -> MemoryKvs:
    kvs = MemoryKvs()
    for job in "jk":
        kvs.put(job, "0", "t", [b"value"], 60.0)
    return kvs


@pytest.mark.parametrize("end", ["running", "done", "unknown"])
def test_what_somebody_may_want_stays(mds: MemoryMds, kvs: MemoryKvs, end: str) -> None:
    if end == "done":
        mds.sync("j", "0", "t", 0, 10.0, Sync(results=[(0, b"I1")], end=True))
    late.remove(mds, kvs, "k" if end == "unknown" else "j")
    assert len(kvs.keys()) == 2


@pytest.mark.parametrize("end", ["failed", "cancelled", "gone"])
def test_what_nobody_wants_is_removed(mds: MemoryMds, kvs: MemoryKvs, end: str) -> None:
    if end == "gone":
        mds.purge("j", 60)
    else:
        mds.close("j", end, Failure("TaskError", "why"))
    late.remove(mds, kvs, "j")
    assert [key.split(":")[1] for key in kvs.keys()] == ["k"]  # noqa: SIM118


def test_a_store_that_is_away_is_no_error(mds: MemoryMds, kvs: MemoryKvs, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(job: str) -> None:
        raise ClusterUnavailable("connection refused")

    monkeypatch.setattr(mds, "job", away)
    late.remove(mds, kvs, "j")
    assert len(kvs.keys()) == 2
