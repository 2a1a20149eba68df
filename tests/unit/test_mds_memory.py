"""What only the store in memory can show: exact times, under a clock that the test moves."""

from __future__ import annotations

import threading

import pytest

from wukong.kvs.ring import Node, Ring
from wukong.mds.records import Record
from wukong.mds.store import JobSpec, Mds, Status, Sync
from wukong.testing.clock import Clock
from wukong.testing.mds import MemoryMds

RING = Ring(1, (Node("a", "127.0.0.1:1"),))
SPEC = JobSpec(tasks=9, sinks=1, pages=1, first_tasks=[0], parallelism=4, ring=RING, seconds=100)


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def mds(clock: Clock) -> MemoryMds:
    mds = MemoryMds(clock)
    mds.submit("job", SPEC, [b"page"], [Record("0", [0]), Record("1", [1])], 30)
    return mds


def test_it_is_a_metadata_store(mds: MemoryMds) -> None:
    store: Mds = mds
    assert store.jobs() == [("job", 1100.0)]


def test_time_moves_only_forward_and_only_when_told() -> None:
    clock = Clock(5.0)
    assert clock() == 5.0
    clock.advance(2.5)
    clock.advance(0)
    assert clock() == 7.5
    with pytest.raises(ValueError, match="back by 1 s"):
        clock.advance(-1)


def test_the_pauses_of_the_sweep_are_exact(mds: MemoryMds, clock: Clock) -> None:
    mds.begin("job", "1", "token", 100_000)
    found = []
    for second in range(1, 1000):
        clock.advance(1)
        if mds.sweep("job", 10).due:
            found.append(second)
    assert found == [30, 40, 60, 100, 180, 340, 660]


def test_a_lease_ends_on_its_millisecond(mds: MemoryMds, clock: Clock) -> None:
    mds.begin("job", "0", "first", 5)
    clock.advance(4.998)
    assert mds.begin("job", "0", "second", 5).status is Status.BUSY
    clock.advance(0.003)
    assert mds.begin("job", "0", "second", 5).status is Status.OK


def test_a_holder_is_told_the_time_that_is_left(mds: MemoryMds, clock: Clock) -> None:
    clock.advance(40)
    assert mds.begin("job", "0", "token", 5).seconds_left == 60


def test_the_deadline_and_the_life_of_keys(mds: MemoryMds, clock: Clock) -> None:
    clock.advance(100)
    assert not mds.sweep("job", 10).expired
    clock.advance(0.001)
    assert mds.sweep("job", 10).expired
    clock.advance(899)
    assert mds.job("job") is not None
    clock.advance(1.5)
    assert mds.job("job") is None
    assert mds.keys() == ["w:jobs", "w:ring:1"]
    mds.purge("job", 60)
    assert mds.keys() == ["w:ring:1"]


def test_a_tombstone_lives_as_long_as_asked(mds: MemoryMds, clock: Clock) -> None:
    mds.purge("job", 60)
    clock.advance(59)
    assert mds.keys() == ["w:job:m", "w:ring:1"]
    clock.advance(2)
    assert mds.keys() == ["w:ring:1"]


def test_uploads_live_as_long_as_asked(mds: MemoryMds, clock: Clock) -> None:
    mds.put_upload("up", b"x", 10)
    mds.place_input("in", "other", b"M", "in:in:t", 20)
    clock.advance(10.5)
    assert mds.uploads(["up"]) == [None]
    assert mds.hold_input("in", "third", 9) == b"M"
    assert mds.hold_input("in", "third", 10) is None
    clock.advance(10)
    assert mds.hold_input("in", "third", 0) is None
    assert mds.drop_inputs("other") == []


def test_calls_are_counted_and_looking_is_not(mds: MemoryMds) -> None:
    before = mds.round_trips
    mds.keys()
    assert mds.round_trips == before
    mds.renew("job", "0", "nobody", 0, 1)
    assert mds.round_trips == before + 1
    assert (mds.bytes_read, mds.bytes_written) == (0, 0)


def test_threads_may_share_it(mds: MemoryMds) -> None:
    mds.begin("job", "0", "token", 60)

    def commit(first: int) -> None:
        for task in range(first, first + 200):
            mds.sync("job", "0", "token", 0, 60, Sync(logs=[]))
            mds.offload("job", "0", "token", 0, f"x{task}", 60, [Record("", [task])], end=True)

    threads = [threading.Thread(target=commit, args=[1000 * number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    info = mds.job("job")
    assert info is not None
    assert info.live_records == 802
    assert info.counters.invocations == 802
    assert len(mds.begin("job", "0", "token", 60).given) == 800
