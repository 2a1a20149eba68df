"""How long an executor waits for room in the KVS, and what it removes before it gives up."""

from __future__ import annotations

import pytest

from wukong.errors import StoreFull
from wukong.kvs.ring import Node, Ring
from wukong.mds.records import Record
from wukong.mds.store import Arrival, JobSpec, Sync
from wukong.testing.clock import Clock
from wukong.testing.kvs import MemoryKvs
from wukong.testing.mds import MemoryMds
from wukong.values.signing import Signer
from wukong.values.values import Values
from wukong_executor.garbage import Garbage
from wukong_executor.interruption import Interrupted
from wukong_executor.room import PAUSES, Room


class Full:
    """A store that has room from its n-th call on."""

    def __init__(self, calls: int) -> None:
        self.calls = 0
        self._room_at = calls

    def write(self) -> str:
        self.calls += 1
        if self.calls < self._room_at:
            raise StoreFull("kvs-0", "h:1", "7", 10, 95, 100)
        return "written"


def _room(clock: Clock, *, wanted: bool = True, frees: int = 0) -> tuple[Room, list[str]]:
    done: list[str] = []

    def renew() -> bool:
        done.append("renew")
        return wanted

    def free() -> int:
        done.append("free")
        return frees

    return Room(5.0, renew, free, clock, clock.advance), done


def test_where_there_is_room_nothing_is_waited_for() -> None:
    clock = Clock()
    before = clock()
    room, done = _room(clock)
    assert room.write(Full(1).write) == "written"
    assert (clock(), done) == (before, [])


def test_pauses_grow_and_the_lease_is_renewed_before_each() -> None:
    clock = Clock()
    before = clock()
    room, done = _room(clock)
    assert room.write(Full(5).write) == "written"
    assert clock() - before == pytest.approx(PAUSES[0] * (1 + 2 + 4 + 8))
    assert done == ["renew"] * 4


def test_what_nobody_needs_is_removed_when_the_time_is_over_and_before_the_error() -> None:
    clock = Clock()
    before = clock()
    room, done = _room(clock)
    store = Full(10**9)
    with pytest.raises(StoreFull):
        room.write(store.write)
    assert 5.0 <= clock() - before <= 5.0 + 2 * PAUSES[1]
    assert done.count("free") == 1
    assert store.calls == done.count("renew") + 1


def test_one_more_attempt_is_made_where_something_was_removed() -> None:
    clock = Clock()
    room, done = _room(clock, frees=3)
    tries = Full(10**9)
    with pytest.raises(StoreFull):
        room.write(tries.write)
    assert done[-2:] == ["free", "renew"]
    assert room.write(Full(tries.calls).write) == "written"


def test_who_writes_what_nobody_wants_stops() -> None:
    clock = Clock()
    room, done = _room(clock, wanted=False)
    store = Full(10**9)
    with pytest.raises(Interrupted):
        room.write(store.write)
    assert (store.calls, done) == (1, ["renew"])


def test_what_is_collected_is_what_no_holder_stored_and_no_mark_names() -> None:
    mds, kvs = MemoryMds(Clock()), MemoryKvs()
    values = Values(kvs, Signer(bytes(32)))
    spec = JobSpec(9, 1, 1, [0], 4, Ring(1, (Node("n", "h:1"),)), 1000.0)
    mds.submit("j", spec, [b"page"], [Record("0", [0]), Record("1", [1])], 10.0)
    mds.begin("j", "0", "holder", 10.0)
    mds.begin("j", "1", "ended", 10.0)
    packed = values.pack(bytes(20_000))
    bundles = values.bundle("j", [("5", packed), ("6", packed)], "ended", 60.0)
    marks = [(0, values.store("j", "1", packed, "ended", 60.0)), (1, bundles[1])]
    mds.sync("j", "1", "ended", 0, 10.0, Sync([Arrival(9, 3, marks)], end=True))
    for name, token in (("2", "holder"), ("3", "ended"), ("4", "dead")):
        values.store("j", name, packed, token, 60.0)
    garbage = Garbage(mds, values, "j")
    assert garbage.collect() == 2
    left = kvs.keys()
    assert [key.split(":")[3:5] for key in left] == [["1", "ended"], ["2", "holder"], ["bundle-5", "ended"]]
    garbage.free([marks[0][1]])
    garbage.free([b"Mnonsense"])
    assert kvs.keys() == left[1:]
