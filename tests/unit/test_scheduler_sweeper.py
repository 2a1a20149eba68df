"""When the sweeper sweeps; what it makes of its findings is in test_scheduler_sweeping.py."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from wukong.errors import ClusterUnavailable
from wukong.kvs.ring import Node, Ring
from wukong.mds.failure import Failure
from wukong.mds.records import Record
from wukong.mds.store import JobSpec, Sync
from wukong.prices import Prices
from wukong.testing.clock import Clock
from wukong.testing.mds import MemoryMds
from wukong_scheduler.invocation_end import Ended, InvocationEnd
from wukong_scheduler.sweeper import Sweeper


def _sweeper(mds: MemoryMds, invoked: list[str], freed: list[str] | None = None) -> Sweeper:
    def invoke(job: str, records: Any) -> None:
        invoked.extend(records)

    def free(job: str) -> None:
        if freed is not None:
            freed.append(job)

    nobody = cast("Any", SimpleNamespace(free=free))
    prices = Prices(0.0, 0.0)
    return Sweeper(mds, invoke, nobody, nobody, lease=10.0, function="f", max_deaths=5, prices=prices)


@pytest.mark.parametrize("done", [False, True])
def test_the_values_of_a_job_that_was_done_just_before_its_deadline_stay(
    done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    mds = MemoryMds(clock)
    freed: list[str] = []
    spec = JobSpec(1, 1, 1, [0], 4, Ring(1, (Node("n", "h:1"),)), 30.0)
    mds.submit("j", spec, [b"page"], [Record("0", [0])], 10.0)
    mds.begin("j", "0", "t", 100.0)
    clock.advance(40.0)
    close = mds.close

    def done_before(job: str, state: str, failure: Failure) -> str:
        if done:
            mds.sync("j", "0", "t", 0, 10.0, Sync(results=[(0, b"I1")], end=True))
        return close(job, state, failure)

    monkeypatch.setattr(mds, "close", done_before)
    assert _sweeper(mds, [], freed).sweep()
    assert freed == ([] if done else ["j"])


def test_nothing_is_swept_when_the_store_has_started_again() -> None:
    clock = Clock()
    mds = MemoryMds(clock)
    invoked: list[str] = []
    sweeper = _sweeper(mds, invoked)
    spec = JobSpec(1, 1, 1, [0], 4, Ring(1, (Node("n", "h:1"),)), 1000.0)
    mds.submit("j", spec, [b"page"], [Record("0", [0])], 10.0)
    clock.advance(20.0)
    mds.reconnects += 1
    assert not sweeper.sweep()
    assert invoked == []
    assert sweeper.sweep()
    assert invoked == ["0"]


def test_the_pause_begins_when_a_store_that_was_away_is_there_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    mds = MemoryMds(clock)
    invoked: list[str] = []
    sweeper = _sweeper(mds, invoked)
    spec = JobSpec(1, 1, 1, [0], 4, Ring(1, (Node("n", "h:1"),)), 1000.0)
    mds.submit("j", spec, [b"page"], [Record("0", [0])], 10.0)
    clock.advance(20.0)
    with monkeypatch.context() as patch:

        def away() -> None:
            raise ClusterUnavailable("connection refused")

        patch.setattr(mds, "jobs", away)
        for _ in range(3):
            with pytest.raises(ClusterUnavailable):
                sweeper.sweep()
    assert not sweeper.sweep()
    assert invoked == []
    assert sweeper.sweep()
    assert invoked == ["0"]


def test_the_store_is_looked_for_while_it_is_away_and_left_alone_for_a_lease_then() -> None:
    mds = MemoryMds(Clock())
    sweeper = _sweeper(mds, [])
    calls = iter([ClusterUnavailable("away"), ClusterUnavailable("away"), False, True, True])
    pauses: list[float] = []

    def sweep() -> bool:
        outcome = next(calls)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def stopped_within(pause: float) -> bool:
        pauses.append(pause)
        return len(pauses) == 6

    sweeper.sweep = sweep  # type: ignore[method-assign]
    sweeper._stopped_within = stopped_within  # type: ignore[method-assign]
    asyncio.run(sweeper._run())
    assert pauses == [10.0, 2.5, 2.5, 10.0, 2.5, 2.5]


def test_a_store_that_starts_again_within_a_sweep_ends_it() -> None:
    clock = Clock()
    mds = MemoryMds(clock)
    invoked: list[str] = []
    sweeper = _sweeper(mds, invoked)
    spec = JobSpec(1, 1, 1, [0], 4, Ring(1, (Node("n", "h:1"),)), 1000.0)
    for job in ("j1", "j2", "j3"):
        mds.submit(job, spec, [b"page"], [Record(job, [0])], 10.0)
    clock.advance(20.0)
    real = mds.sweep

    def sweep(job: str, pause: float) -> Any:
        mds.reconnects += 1
        return real(job, pause)

    mds.sweep = sweep  # type: ignore[method-assign]
    assert not sweeper.sweep()
    assert len(invoked) == 1


def test_what_the_platform_tells_waits_until_holders_have_met_a_store_that_started_again() -> None:
    clock = Clock()
    mds = MemoryMds(clock)
    invoked: list[str] = []
    sweeper = _sweeper(mds, invoked)
    spec = JobSpec(1, 1, 1, [0], 4, Ring(1, (Node("n", "h:1"),)), 1000.0)
    mds.submit("j", spec, [b"page"], [Record("0", [0]), Record("1", [0])], 10.0)
    mds.begin("j", "0", "dead-1", 10.0)
    mds.begin("j", "1", "silent-1", 10.0)
    clock.advance(20.0)
    end = InvocationEnd("j", "0", "dead", Ended.DIED, "killed")
    mds.reconnects += 1
    sweeper.ended(end)  # before a sweep has met the store
    assert not sweeper.sweep()
    sweeper.ended(end)  # and after that
    assert invoked == []
    mds.renew("j", "1", "silent-1", 0, 10.0)
    assert sweeper.sweep()
    assert invoked == ["0"]
    mds.begin("j", "0", "next-1", 10.0)
    sweeper.ended(InvocationEnd("j", "0", "next", Ended.DIED, "killed"))
    assert invoked == ["0", "0"]


def test_a_stalled_job_starts_again_at_once_and_three_times_in_all() -> None:
    mds = MemoryMds(Clock())
    invoked: list[str] = []
    sweeper = _sweeper(mds, invoked)
    spec = JobSpec(1, 1, 1, [0], 4, Ring(1, (Node("n", "h:1"),)), 1000.0)
    mds.submit("j", spec, [b"page"], [Record("0", [0]), Record("1", [1])], 10.0)
    for generation in range(3):
        for record in ("0", "1"):
            assert mds.begin("j", record, "token", 10.0).generation == generation
            assert mds.sync("j", record, "token", generation, 10.0, Sync(end=True)).ended
        assert sweeper.sweep()
    assert invoked == ["0", "1"] * 2
    info = mds.job("j")
    assert info is not None
    assert info.state == "failed"
    assert info.failure is not None
    assert "was started 3 times" in info.failure.message
