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
