from __future__ import annotations

from math import inf

import pytest

from wukong_executor.time_left import TimeLeft


@pytest.mark.parametrize(("seconds", "until"), [(900, 990.0), (15, 112.0), (3, 102.4), (inf, inf)])
def test_a_part_of_the_limit_is_kept_for_handing_over(seconds: float, until: float) -> None:
    assert TimeLeft(seconds, 100.0).until == pytest.approx(until)


def test_more_is_kept_the_more_there_is_to_store() -> None:
    left = TimeLeft(900, 0.0)
    left.resident(100_000_000)
    assert left.until == 890.0
    left.resident(1_100_000_000)
    assert left.until == 870.0
    left.resident(50_000_000)
    assert left.until == 890.0


def test_a_task_that_began_late_is_given_up_before_the_limit_and_one_that_began_early_is_not() -> None:
    left = TimeLeft(900, 100.0)
    assert not left.is_over(started=700.0, now=994.0)
    assert left.is_over(started=700.0, now=996.0)
    assert not left.is_over(started=109.0, now=996.0)
    left.resident(0)
    left.resident(1_000_000_000)
    assert left.is_over(started=700.0, now=976.0)
    assert not TimeLeft(inf, 0.0).is_over(started=1e9, now=2e9)


def test_each_further_holder_begins_tasks_for_half_as_long() -> None:
    assert [TimeLeft(900, 0.0, begins).until for begins in (1, 2, 3)] == [890.0, 445.0, 222.5]
    assert TimeLeft(900, 0.0, 3).is_over(started=20.0, now=896.0)
    assert not TimeLeft(900, 0.0, 3).is_over(started=20.0, now=894.0)
