"""What `make bench` decides and computes, from given samples; and that its peers' lock fits the project's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchmarks import cases, load, tables
from benchmarks.agreement import difference
from benchmarks.bench import Outcome
from benchmarks.comparison import Ratio, closing_line, ratios, worst
from benchmarks.engines import KINDS, as_map
from benchmarks.sampling import Measured, Rounds, Sample, Trial, fastest
from benchmarks.workloads import chain, increment, independent

ROOT = Path(__file__).parents[2]


def play(rounds: Rounds, samples: dict[str, list[Sample]]) -> list[list[str]]:
    """Give each engine its samples in turn; returns the orders of the rounds."""
    orders = []
    while order := rounds.next_round():
        orders.append(order)
        for name in order:
            rounds.add(name, samples[name].pop(0))
    return orders


def quiet(*seconds: float) -> list[Sample]:
    return [Sample([number]) for number in seconds]


def test_each_round_begins_with_another_engine() -> None:
    rounds = Rounds({"a": 3, "b": 3, "c": 3}, limit=0.2, repeats=2)
    orders = play(rounds, {name: quiet(1, 2, 3) for name in "abc"})
    assert orders == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"]]


def test_an_engine_that_wants_fewer_samples_stops_earlier() -> None:
    rounds = Rounds({"a": 3, "b": 1}, limit=0.2, repeats=2)
    assert play(rounds, {"a": quiet(1, 2, 3), "b": quiet(1)}) == [["a", "b"], ["a"], ["a"]]


def test_loaded_samples_are_taken_again_and_do_not_count() -> None:
    rounds = Rounds({"a": 2, "b": 2}, limit=0.2, repeats=2)
    loaded = [Sample([9.0], foreign=0.5), Sample([1.0]), Sample([0.1], foreign=0.21), Sample([3.0], foreign=0.2)]
    orders = play(rounds, {"a": loaded, "b": quiet(5, 7)})
    assert orders == [["a", "b"], ["b", "a"], ["a"], ["a"]]
    measured = rounds.measured()
    assert (measured["a"].median, measured["a"].minimum) == (2.0, 1.0)
    assert (measured["a"].loaded, measured["a"].repeated) == (0, 2)
    assert (measured["b"].median, measured["b"].repeated) == (6.0, 0)


def test_where_all_is_loaded_the_least_loaded_count_and_are_marked() -> None:
    rounds = Rounds({"a": 2}, limit=0.2, repeats=2)
    foreign = [0.9, 0.3, 0.8, 0.4]
    play(rounds, {"a": [Sample([load * 10], load) for load in foreign]})
    measured = rounds.measured()["a"]
    assert [sample.foreign for sample in measured.samples] == [0.3, 0.4]
    assert (measured.median, measured.minimum, measured.loaded, measured.repeated) == (3.5, 3.0, 2, 2)


def test_clean_samples_count_before_loaded_ones() -> None:
    rounds = Rounds({"a": 3}, limit=0.2, repeats=1)
    play(rounds, {"a": [Sample([1.0], 0.9), Sample([2.0], 0.3), Sample([3.0]), Sample([4.0])]})
    measured = rounds.measured()["a"]
    assert sorted(sample.seconds for sample in measured.samples) == [2.0, 3.0, 4.0]
    assert measured.loaded == 1


def test_a_sample_is_the_median_of_its_runs_and_the_minimum_is_of_all_runs() -> None:
    rounds = Rounds({"a": 2}, limit=0.2, repeats=0)
    play(rounds, {"a": [Sample([5.0, 1.0, 2.0]), Sample([4.0, 4.0])]})
    assert (rounds.measured()["a"].median, rounds.measured()["a"].minimum) == (3.0, 1.0)


def test_the_fastest_way_to_start_an_engine_is_told_from_others() -> None:
    ways = [Trial("a", {"n": 1}, 3.0), Trial("a", {"n": 2}, 2.0), Trial("a", {"n": 3}, 2.0), Trial("b", {}, 1.0)]
    assert fastest(ways, "a") is ways[1]


def test_an_engine_without_a_turn_is_left_out() -> None:
    rounds = Rounds({"a": 1, "b": 1}, limit=0.2, repeats=0)
    rounds.add("a", Sample([1.0]))
    assert list(rounds.measured()) == ["a"]


def of(median: float, minimum: float = 1.0, loaded: int = 0) -> Measured:
    return Measured(median, minimum, [Sample([median])], loaded, repeated=0)


def test_ratios_are_ours_through_theirs() -> None:
    measured = {"Wukong": of(2.0, 1.5), "Ray": of(8.0, 3.0), "Lithops": of(100.0)}
    ray, lithops = ratios("W", measured, {"Ray": 0.5, "distributed": 0.1})
    assert ray == Ratio("W", "Ray", 0.25, 0.5, 0.5)
    assert (ray.to_goal, ray.missed) == (0.5, False)
    assert (lithops.goal, lithops.to_goal, lithops.missed) == (None, None, False)
    assert ratios("W", {"Ray": of(8.0)}, {"Ray": 0.5}) == []


def test_the_worst_ratio_is_the_one_farthest_above_its_goal() -> None:
    found = [
        Ratio("W1", "Ray", 0.03, 0.03, 0.02),
        Ratio("W2", "Ray", 0.9, 0.9, 0.8),
        Ratio("W3", "Lithops", 9, 9, None),
    ]
    assert worst(found) is found[0]
    assert found[0].missed
    assert closing_line(found) == "worst ratio to goal: 1.50 (W1, Ray)"
    assert closing_line(found[2:]) == "worst ratio to goal: none (no goal was measured)"


def test_tables_show_what_is_missed_loaded_and_left_out() -> None:
    case = cases.Case(
        "W", "a chain", "benchmarks.workloads:chain", {"length": 3}, {"distributed": 0.5}, note="why not Ray"
    )
    measured = {"Wukong": of(0.02, 0.0104), "distributed": of(0.031, 0.03, loaded=1)}
    outcome = Outcome(case, 3, measured, ratios("W", measured, case.goals))
    *_, row = tables.times([outcome])
    assert row == "| W: a chain | 3 | 20.0 (10.4) | 31.0 (30.0)° |  |  |  |  |  |"
    *_, row = tables.against_goals([outcome])
    assert row == "| W | distributed | 0.645 | 0.347 | <= 0.5 | 1.29 | **missed** |"
    document = {
        "machine": dict.fromkeys(("date", "cores", "processor", "memory", "system", "python"), "?"),
        "versions": {"Wukong": {"numpy": "2"}},
        "idle_cores": {"Ray": 0.01},
        "limit": 0.2,
        "seconds": 90.0,
    }
    page = tables.page(document, [outcome]).splitlines()
    assert "Goals reached: 0 of 1." in page
    assert "* W: why not Ray." in page
    assert page[-1] == "worst ratio to goal: 1.29 (W, distributed)"


STAT = """cpu  1000 0 0 0 0 0 0 0 0 0
cpu0 100 20 30 4000 50 6 7 8 9 10
cpu1 1 0 0 5000 0 0 0 0 0 0
cpu10 9000 0 0 0 0 0 0 0 0 0
intr 12345
"""


def test_busy_is_all_but_waiting_of_our_cores() -> None:
    tick = load.parse_busy("cpu0 1 0 0 0 0 0 0 0 0 0\n", {0})
    assert load.parse_busy(STAT, {0, 1}) == pytest.approx((100 + 20 + 30 + 6 + 7 + 8 + 1) * tick)
    assert load.parse_busy(STAT, {1}) == pytest.approx(tick)


def stat(pid: int, parent: int, ticks: int, name: str = "python") -> str:
    return f"{pid} ({name}) S {parent} 1 1 0 -1 0 0 0 0 0 {ticks} 1 2 3 20 0 1 0 {pid * 7} 0 0"


def test_a_tree_is_a_process_and_its_descendants() -> None:
    parents = {1: 0, 10: 1, 11: 10, 12: 11, 20: 1}
    processes = {pid: load.parse_process(stat(pid, parent, 94, "a) (b")) for pid, parent in parents.items()}
    assert processes[11].parent == 10
    assert processes[11].born == 77
    assert set(load.tree(processes, 10)) == {10, 11, 12}
    assert load.tree(processes, 99) == {}
    tick = load.parse_busy("cpu0 1 0 0 0 0 0 0 0 0 0\n", {0})
    assert load.used_by(processes, 10) == pytest.approx(3 * 100 * tick)


FRAME = pd.DataFrame({"a": [1.0, 2.0], "b": [3, 4]}, index=["x", "y"])


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ((1, [2.0, "x"]), [1, (2.0 + 1e-12, "x")]),
        (np.array([1.0, np.nan]), np.array([1.0 + 1e-10, np.nan])),
        (FRAME, FRAME.iloc[::-1]),
    ],
)
def test_the_same_is_the_same(expected: Any, found: Any) -> None:
    assert difference(expected, found) is None


@pytest.mark.parametrize(
    ("expected", "found", "said"),
    [
        ([1, [2, 3]], [1, [2, 4]], "result[1][1] is 4, not 3"),
        ([1], [1, 2], "result has 2 items, not 1"),
        (1, 1.0, "result is a float, not a int"),
        (1.0, 1.001, "result has other numbers"),
        (np.arange(3), np.arange(3) + 1, "result has other numbers"),
        (np.zeros(3), np.zeros((3, 1)), "result is float64[3, 1], not float64[3]"),
        ([1], 1, "result is a int, not a list"),
        (FRAME, FRAME.assign(b=[3, 5]), "result is another frame"),
    ],
)
def test_a_difference_is_found_and_said_where(expected: Any, found: Any, said: str) -> None:
    assert (difference(expected, found) or "").startswith(said)


def test_maps_are_told_from_other_graphs() -> None:
    function, items = as_map(*independent(3))
    assert (function, items) == (increment, [0, 1, 2])
    with pytest.raises(ValueError, match="no map"):
        as_map(*chain(3))


def test_goals_are_of_engines_that_take_part() -> None:
    for case in (*cases.CASES, *cases.QUICK_CASES):
        assert set(case.samples) <= set(KINDS)
        assert set(case.goals) <= set(case.samples), case.name
        assert all(case.samples[peer] >= 5 for peer in case.goals)
        assert set(case.options) <= set(case.samples)
    assert len({case.name for case in cases.CASES}) == len(cases.CASES)
    assert set(tables.ENGINES) == set(KINDS)


def test_a_late_run_leaves_out_who_has_no_goal_and_says_so() -> None:
    case = cases.hurried(cases.SLEEPING)
    assert dict(case.samples) == {"Wukong": 5, "distributed": 5, "Ray": 5}
    assert case.note.endswith("; the run was late, engines without a goal were left out")
    assert cases.hurried(case) is case


def test_the_issue_s_workloads_are_all_there() -> None:
    numbers = {case.name.split()[0] for case in cases.CASES}
    assert numbers == {f"W{number}" for number in range(1, 12)} | {"W3s"}


def pins(lock: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    text = (ROOT / "requirements" / lock).read_text()
    for name, version in re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def test_peers_have_what_they_share_with_the_project_in_the_same_version() -> None:
    ours, theirs = pins("dev.txt"), pins("peers.txt")
    shared = ours.keys() & theirs.keys()
    assert shared >= {"dask", "distributed", "numpy", "pandas", "scipy", "scikit-learn", "pyarrow", "cloudpickle"}
    assert {name: theirs[name] for name in shared} == {name: ours[name] for name in shared}
    for kind in KINDS.values():
        for package in kind.packages:
            assert package == "wukong" or package in (theirs if kind.peer else ours)
    assert "matplotlib" in theirs
    assert not [name for name in theirs if name.startswith("wukong")]
