"""Lanes run at the same time, and when they are over, nothing runs any more."""

from __future__ import annotations

import threading
from functools import partial
from itertools import repeat

import pytest

from wukong.kvs.abreast import abreast


def test_lanes_run_at_the_same_time_and_their_steps_in_order() -> None:
    meeting = threading.Barrier(3)
    done: list[list[int]] = [[], [], []]

    def step(lane: int, number: int) -> None:
        if number == 1:
            meeting.wait(30)
        done[lane].append(number)

    abreast([[partial(step, lane, number) for number in range(3)] for lane in range(3)])
    assert done == [[0, 1, 2]] * 3


def test_one_lane_stays_in_the_callers_thread() -> None:
    threads: list[int] = []
    abreast([[lambda: threads.append(threading.get_ident())]])
    abreast([])
    assert threads == [threading.get_ident()]


@pytest.mark.parametrize("failing", [0, 1, 2])
@pytest.mark.parametrize("error", [ValueError("one"), KeyboardInterrupt()])
def test_after_an_error_no_step_begins_and_none_is_under_way(failing: int, error: BaseException) -> None:
    running = threading.Semaphore(0)

    def fail() -> None:
        for _ in range(1000):
            assert running.acquire(timeout=30)
        raise error

    def work() -> None:
        assert threading.get_ident() not in at_work
        at_work.add(threading.get_ident())
        running.release()
        at_work.discard(threading.get_ident())

    at_work: set[int] = set()
    # The lanes that work would go on for ever.
    lanes = [[fail] if lane == failing else repeat(work) for lane in range(3)]
    with pytest.raises(type(error)) as caught:
        abreast(lanes)
    assert caught.value is error
    assert not at_work
    assert not [thread for thread in threading.enumerate() if thread.name == "wukong-lane"]


def test_a_thread_that_cannot_be_started_is_an_error_after_the_others_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start, ended = threading.Thread.start, threading.Event()
    count = 0

    def limited(thread: threading.Thread) -> None:
        nonlocal count
        count += 1
        if count > 1:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    with pytest.raises(RuntimeError, match="can't start"):
        abreast([[lambda: None], [ended.set], [lambda: None]])
    assert ended.is_set()
