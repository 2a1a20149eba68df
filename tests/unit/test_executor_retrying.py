"""Which errors are forgiven, for how long a task rests, and what is told of it."""

from __future__ import annotations

import pytest

from wukong.graph.attempt import attempt
from wukong.mds.store import Retried
from wukong_executor.retrying import LONGEST_PAUSE, Retrying


def fail() -> None:
    raise ValueError("not yet")


def test_a_task_is_run_again_as_often_as_it_may_with_growing_pauses() -> None:
    retrying = Retrying()
    pauses = [retrying.after(4, number, ValueError("no"), 3) for number in (1, 2, 3)]
    for pause, longest in zip(pauses, (0.1, 0.2, 0.4), strict=True):
        assert pause is not None
        assert longest / 2 <= pause <= longest
    assert retrying.after(4, 4, ValueError("no"), 3) is None
    assert retrying.take() == [Retried(4, number, "ValueError: no") for number in (1, 2, 3)]
    assert retrying.take() == []


@pytest.mark.parametrize("number", [9, 50, 10_000])
def test_pauses_do_not_grow_for_ever(number: int) -> None:
    pause = Retrying().after(0, number, ValueError(), 10_000)
    assert pause is not None
    assert LONGEST_PAUSE / 2 <= pause <= LONGEST_PAUSE


def test_a_call_whose_exception_is_a_value_is_told_the_same_way() -> None:
    retrying = Retrying()
    assert retrying.after(1, 1, attempt(fail), 1) is not None
    assert retrying.take() == [Retried(1, 1, "ValueError: not yet")]


def test_an_error_that_cannot_be_told_is_no_other_error() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    retrying = Retrying()
    assert retrying.after(1, 1, Mute(), 1) is not None
    assert retrying.after(1, 1, ValueError("x" * 100_000 + "\udc80"), 1) is not None
    first, second = retrying.take()
    assert "cannot be had" in first.text
    assert len(second.text) < 10_000
