"""Where time goes, what was slow, how much memory: with a clock of the test's own."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from wukong.mds.phase import Phase
from wukong.mds.store import SLOWEST
from wukong.testing.clock import Clock
from wukong_executor.heap import Heap
from wukong_executor.resident import Resident
from wukong_executor.timesheet import Slowest, Timesheet


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


def test_every_moment_belongs_to_one_phase(clock: Clock) -> None:
    sheet = Timesheet(clock() - 0.5, clock)
    for phase, seconds in (
        *((Phase.READING, 1), (Phase.RUNNING, 2), (Phase.WRITING, 3), (Phase.REPORTING, 4)),
        *((Phase.WAITING, 5), (Phase.RUNNING, 6), (Phase.RUNNING, 0.25)),
    ):
        sheet.enter(phase)
        clock.advance(seconds)
    found, milliseconds = sheet.read()
    assert found == {
        "starting_us": 500_000,
        "running_us": 8_250_000,
        "reading_us": 1_000_000,
        "writing_us": 3_000_000,
        "reporting_us": 4_000_000,
        "waiting_us": 5_000_000,
    }
    assert milliseconds == 21_750


def test_a_phase_that_goes_on_is_told_as_far_as_it_is(clock: Clock) -> None:
    sheet = Timesheet(clock(), clock)
    sheet.enter(Phase.RUNNING)
    for so_far in (1, 2, 3):
        clock.advance(1)
        assert sheet.read()[0]["running_us"] == so_far * 1_000_000


@pytest.mark.parametrize(("seconds", "billed"), [(0, 0), (0.0001, 1), (0.25, 250), (0.2503, 251), (2, 2000)])
def test_a_millisecond_that_began_is_billed(clock: Clock, seconds: float, billed: int) -> None:
    sheet = Timesheet(clock(), clock)
    clock.advance(seconds)
    assert sheet.read()[1] == billed


def test_what_another_thread_does_is_not_the_main_threads(clock: Clock) -> None:
    sheet = Timesheet(clock(), clock)
    sheet.enter(Phase.RUNNING)
    other = threading.Thread(target=sheet.enter, args=[Phase.WRITING])
    other.start()
    other.join()
    clock.advance(1)
    assert sheet.read()[0]["running_us"] == 1_000_000


def test_the_slowest_are_kept_and_told_once() -> None:
    slowest = Slowest()
    durations = [3.0, 1.0, 9.0, 2.0, 8.0, 7.0, 0.5, 6.0, 5.0, 4.0]
    for task, seconds in enumerate(durations):
        if seconds > slowest.floor:
            slowest.add(task, seconds)
    assert len(durations) > SLOWEST
    assert sorted(slowest.take()) == [(2, 9.0), (4, 8.0), (5, 7.0), (7, 6.0), (8, 5.0)]
    assert slowest.take() == []
    assert slowest.floor == 5.0
    slowest.add(20, 10.0)
    assert slowest.take() == [(20, 10.0)]


def test_until_there_are_enough_every_task_is_among_the_slowest() -> None:
    slowest = Slowest()
    for task in range(SLOWEST - 1):
        slowest.add(task, 1.0 + task)
        assert slowest.floor == 0.0


def test_a_peak_between_two_looks_counts_and_is_forgotten_by_the_next_executor() -> None:
    gc.collect()
    resident = Resident(Heap().free)
    before, _ = resident.look()
    assert before > 1_000_000
    nbytes = 200_000_000
    ballast = np.ones(nbytes // 8)
    assert resident.look()[0] >= before + nbytes // 2
    del ballast
    now, peak = resident.look()
    assert peak >= before + nbytes // 2
    assert now < before + nbytes // 2
    assert Resident(Heap().free).look()[1] < before + nbytes // 2
