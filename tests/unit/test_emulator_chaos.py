"""The decisions of chaos: the same from the same seed, as often as asked for, each kind by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wukong_lambda_emulator import chaos
from wukong_lambda_emulator.chaos import Chaos, Fate, fate, lifetime

ALL = Chaos(seed=1, duplicate=0.2, delay=0.3, delay_seconds=0.5, drop=0.1, throttle=0.1, kill=0.05, kill_seconds=2.0)
NUMBERS = range(1, 4001)


def test_nothing_happens_unless_asked_for() -> None:
    assert {fate(Chaos(seed=seed), number) for seed in range(5) for number in range(100)} == {Fate(False, (0.0,))}
    assert {lifetime(Chaos(seed=5), number) for number in range(100)} == {None}


def test_the_same_seed_decides_the_same_whatever_was_decided_before() -> None:
    forwards = [(fate(ALL, number), lifetime(ALL, number)) for number in NUMBERS]
    backwards = [(fate(ALL, number), lifetime(ALL, number)) for number in reversed(NUMBERS)]
    assert forwards == backwards[::-1]
    assert forwards != [(fate(replace(ALL, seed=2), number), lifetime(ALL, number)) for number in NUMBERS]


def test_each_fault_is_as_frequent_as_asked_for() -> None:
    fates = [fate(ALL, number) for number in NUMBERS]
    kept = [each for each in fates if each.delays]
    delays = [delay for each in fates for delay in each.delays]
    lives = [life for number in NUMBERS if (life := lifetime(ALL, number)) is not None]
    assert sum(each.throttled for each in fates) / len(fates) == pytest.approx(0.1, abs=0.02)
    assert 1 - len(kept) / len(fates) == pytest.approx(0.1, abs=0.02)
    assert sum(len(each.delays) == 2 for each in kept) / len(kept) == pytest.approx(0.2, abs=0.03)
    assert sum(delay > 0 for delay in delays) / len(delays) == pytest.approx(0.3, abs=0.03)
    assert 0.4 < max(delays) < 0.5
    assert len(lives) / len(NUMBERS) == pytest.approx(0.05, abs=0.015)
    assert 1.5 < max(lives) < 2.0


def test_the_chance_of_one_fault_leaves_the_others_where_they_were() -> None:
    more = replace(ALL, duplicate=0.9, kill=0.9)
    for number in NUMBERS:
        assert fate(ALL, number).throttled == fate(more, number).throttled
        assert bool(fate(ALL, number).delays) == bool(fate(more, number).delays)
        assert fate(ALL, number).delays[:1] == fate(more, number).delays[:1]


def test_deliveries_are_those_without_chaos_and_a_duplicate_is_one_more() -> None:
    assert fate(Chaos(), 1, deliveries=3).delays == (0.0, 0.0, 0.0)
    assert fate(Chaos(duplicate=1.0), 1, deliveries=3).delays == (0.0,) * 4
    assert fate(Chaos(drop=1.0, duplicate=1.0), 1, deliveries=3).delays == ()


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"dropped": 1}, "chaos has no 'dropped'; known are seed, duplicate, delay,"),
        ({"drop": 1.5}, "'drop' is 1.5; it must be a chance from 0 to 1"),
        ({"throttle": float("nan")}, "'throttle' is nan; it must be a chance"),
        ({"kill": "1"}, "'kill' cannot be '1'"),
        ({"kill": True}, "'kill' cannot be True"),
        ({"seed": 1.5}, "'seed' cannot be 1.5"),
        ({"delay_seconds": -1}, "'delay_seconds' is -1; it must be a number of seconds from 0 on"),
        ({"kill_seconds": float("inf")}, "'kill_seconds' is inf"),
    ],
)
def test_wrong_settings_are_named(document: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chaos.parse(document)
