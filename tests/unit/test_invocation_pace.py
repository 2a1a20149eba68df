"""How fast executors are asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wukong.errors import InvalidSetting
from wukong.invocation.pace import FIRST_HOLD, LONGEST_HOLD, Pace
from wukong.invocation.pacing import Pacing
from wukong.invocation.refusal import NO_ANSWER, Refusal

THROTTLED = Refusal("TooManyRequestsException", "Rate Exceeded.")


def ask(pace: Pace, count: int, now: float = 0.0) -> list[float]:
    """When each of so many has its turn who ask one after the other."""
    found = []
    for _ in range(count):
        while seconds := pace.turn(now):
            now += seconds
        found.append(now)
    return found


def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    assert ask(Pace(10.0, 3), 6) == pytest.approx([0.0, 0.0, 0.0, 0.1, 0.2, 0.3])


def test_the_bucket_fills_again_and_no_more_than_that() -> None:
    pace = Pace(10.0, 3)
    ask(pace, 3)
    assert ask(pace, 3, now=0.2) == pytest.approx([0.2, 0.2, 0.3])
    assert ask(pace, 4, now=100.0) == pytest.approx([100.0, 100.0, 100.0, 100.1])


@given(
    rate=st.floats(0.1, 1000.0),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(0.0, 2.0), min_size=1, max_size=60),
)
def test_in_no_time_are_there_more_than_the_burst_and_what_the_rate_gives(
    rate: float, burst: int, pauses: list[float]
) -> None:
    pace = Pace(rate, burst)
    now, turns = 0.0, []
    for pause in pauses:
        (taken,) = ask(pace, 1, now + pause)
        turns.append(now := taken)
    for first in range(len(turns)):
        for last in range(first, len(turns)):
            assert last - first + 1 <= burst + (turns[last] - turns[first]) * rate + 1e-3


def test_a_refusal_holds_everybody_up_and_what_follows_goes_at_the_rate() -> None:
    pace = Pace(10.0, 100, chance=lambda: 1.0)
    ask(pace, 5)
    pace.refused(1.0)
    held = 1.0 + FIRST_HOLD
    assert ask(pace, 3, now=1.0) == pytest.approx([held, held + 0.1, held + 0.2])


def test_holds_double_up_to_the_longest_and_begin_again_after_success() -> None:
    pace = Pace(100.0, 1, chance=lambda: 1.0)
    now, holds = 0.0, []
    for _ in range(8):
        pace.refused(now)
        holds.append(pace.turn(now))
        now += holds[-1]
    assert holds == pytest.approx([min(FIRST_HOLD * 2**n, LONGEST_HOLD) for n in range(8)])
    pace.accepted(now)
    pace.refused(now)
    assert pace.turn(now) == pytest.approx(FIRST_HOLD)


def test_what_was_under_way_does_not_lengthen_a_hold() -> None:
    pace = Pace(100.0, 8, chance=lambda: 1.0)
    pace.refused(0.0)
    for _ in range(7):
        pace.refused(0.01)
        pace.accepted(0.01)
    assert pace.turn(0.0) == pytest.approx(FIRST_HOLD)
    pace.refused(FIRST_HOLD)
    assert pace.turn(FIRST_HOLD) == pytest.approx(2 * FIRST_HOLD)


def test_parts_that_are_refused_together_do_not_ask_together_again() -> None:
    holds = []
    for chance in (0.0, 0.5, 1.0):
        pace = Pace(100.0, 1, chance=lambda chance=chance: chance)
        pace.refused(0.0)
        holds.append(pace.turn(0.0))
    assert holds == pytest.approx([0.5 * FIRST_HOLD, 0.75 * FIRST_HOLD, FIRST_HOLD])


def test_pacing_comes_from_the_environment_and_is_shared_among_those_who_ask_together() -> None:
    assert Pacing.read({}) == Pacing(0.0, 1000)
    told = Pacing.read({"WUKONG_INVOCATION_RATE": "100", "WUKONG_INVOCATION_BURST": "10"})
    assert told.share(4) == Pacing(25.0, 2)
    assert told.share(100).burst == 1
    with pytest.raises(InvalidSetting, match="WUKONG_INVOCATION_BURST"):
        Pacing.read({"WUKONG_INVOCATION_BURST": "0"})


def test_nobody_waits_where_there_is_no_pace() -> None:
    turns = Pacing().turns()
    assert not any(turns.wait() for _ in range(5000))
    turns.answered(THROTTLED)
    assert turns.wait() == 0.0


def test_only_want_of_room_holds_up() -> None:
    turns = Pacing(0.001, 5).turns()
    turns.answered(Refusal(NO_ANSWER, "gone"))
    turns.answered(None)
    assert turns.wait() == 0.0
    turns.answered(THROTTLED)
    assert turns.wait() > 0.0
