"""What an executor tells of what it moved: all of its own, from its first call on, and nothing of others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from wukong.kvs.store import Counters as Moved
from wukong.mds.counters import NOTHING
from wukong.mds.counters import Counters as Counts
from wukong_executor.tally import Tally, moved
from wukong_executor.timesheet import Timesheet


def test_what_was_told_is_all_that_was_moved_and_the_call_that_tells_it() -> None:
    mds: Any = SimpleNamespace(round_trips=100, bytes_read=1000, bytes_written=2000)  # of earlier holders
    kvs: Any = SimpleNamespace(counters=lambda: Moved(7, 70, 700))
    offloading: Any = SimpleNamespace(streamed=0)
    before = moved(mds)
    mds.round_trips, mds.bytes_read, mds.bytes_written = 101, 1500, 2100  # `begin`, with the first pages
    tally = Tally(mds, kvs, offloading, Timesheet(0.0, lambda: 0.0), 1 << 31, before)
    told = tally.take(0, 0)
    mds.round_trips, mds.bytes_read, mds.bytes_written = 102, 1510, 2200  # the call that told it
    kvs.counters = lambda: Moved(9, 90, 900)
    offloading.streamed = 5
    told += tally.take(0, 0)
    assert told == Counts(round_trips=2 + 2 + 1, bytes_read=510 + 20, bytes_written=200 + 200 + 5)


def test_an_executor_that_ran_nothing_tells_of_its_begin_and_its_end() -> None:
    mds: Any = SimpleNamespace(round_trips=0, bytes_read=0, bytes_written=0)
    kvs: Any = SimpleNamespace(counters=lambda: Moved(0, 0, 0))
    offloading: Any = SimpleNamespace(streamed=0)
    mds.round_trips = 1
    tally = Tally(mds, kvs, offloading, Timesheet(0.0, lambda: 0.0), 0, NOTHING)
    assert tally.take(0, 0).round_trips == 2
