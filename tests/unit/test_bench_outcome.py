"""What the benchmarks of growth and start conclude from given samples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.growth import Row, growth, growth_table, percentile
from benchmarks.meter import Sample
from benchmarks.outcome import Goal, closing_line, goals_table, publish, table
from benchmarks.processes import GROUPS
from benchmarks.shape import FAN_IN, GROWING, leaves
from benchmarks.start import IMPORT, IMPORT_USED, READY, goals, starts_table


def row(tasks: int, us: float, nbytes: float) -> Row:
    return Row("map", tasks, 1.0, dict.fromkeys(GROUPS, us), dict.fromkeys(GROUPS, nbytes), 3_000_000_000)


def test_the_goal_that_is_furthest_from_being_met_closes() -> None:
    found = [Goal("near", 9, 10, "s"), Goal("missed", 3, 2, "GB"), Goal("far", 1, 10, "s")]
    assert closing_line(found) == "worst ratio to goal: 1.50 (missed)"
    lines = goals_table(found).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["missed", "near", "far"]
    assert lines[2] == "| missed | 3.00 GB | 2 GB | 1.50 |"


def test_what_is_published_says_whether_a_goal_is_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    section = table(("what", "s"), [("a", "1")])
    assert publish("good", [section], [Goal("met", 1, 2, "s")], {"seconds": [1]}, tmp_path / "new") == 0
    assert publish("bad", [section], [Goal("met", 1, 2, "s"), Goal("missed", 3, 2, "s")], {}, tmp_path) == 1
    text = (tmp_path / "bad.md").read_text()
    assert text.endswith("worst ratio to goal: 1.50 (missed)\n")
    assert "| a | 1 |" in text
    stated = json.loads((tmp_path / "new" / "good.json").read_text())
    assert stated["seconds"] == [1]
    assert stated["goals"] == [{"name": "met", "found": 1, "most": 2, "unit": "s", "ratio": 0.5}]
    assert capsys.readouterr().out.count("worst ratio to goal") == 2


def test_growth_is_the_largest_size_over_the_cheapest_smaller_one() -> None:
    rows = [row(1_000, 40.0, 9_000.0), row(10_000, 10.0, 900.0), row(100_000, 20.0, 600.0)]
    rows.append(row(1_000_000, 25.0, 1_500.0))
    found = {goal.name: goal.found for goal in growth(rows)}
    assert found == {
        **{f"map: time per task, {group}": 2.5 for group in GROUPS},
        **{f"map: memory per task, {group}": 2.5 for group in GROUPS},
    }


def test_what_the_clock_and_the_allocator_cannot_tell_apart_is_no_growth() -> None:
    found = growth([row(100_000, 0.0, 0.0), row(1_000_000, 0.9, 99.0)])
    assert {goal.found for goal in found} == {1.0}


def test_memory_of_small_graphs_does_not_count() -> None:
    found = growth([row(10_000, 1.0, 1.0), row(100_000, 1.0, 500.0)])
    assert not [goal for goal in found if "memory" in goal.name]
    assert growth_table([row(1_000, 1.5, 1.0)]).splitlines()[-1] == (
        "| map | 1,000 | 1.00 | 1.5 | 1.5 | 1.5 | 1.5 |  |  |  |  | 3.00 |"
    )


def test_a_sample_of_several_jobs_is_shared_out_among_all_their_tasks() -> None:
    from benchmarks.growth import row as shared

    sample = Sample(4.0, {"client": 2.0}, {"client": 5_000}, 7)
    assert shared("map", 1_000, 2, sample) == Row("map", 1_000, 2.0, {"client": 1_000.0}, {"client": 5.0}, 7)


def test_a_percentile_is_one_of_the_samples() -> None:
    samples = [float(number) for number in range(100, 0, -1)]
    assert [percentile(samples, percent) for percent in (50, 99, 100, 0.1)] == [50.0, 99.0, 100.0, 1.0]
    assert percentile([7.0], 50) == 7.0


@pytest.mark.parametrize("tasks", [10, 1_000])
def test_the_values_of_all_shapes_are_those_of_dask(tasks: int) -> None:
    import dask

    for shape in (*GROWING, FAN_IN):
        graph, keys = shape.build(tasks)
        assert dask.get(graph, keys) == shape.value(tasks), shape.name


def test_a_tree_has_about_as_many_tasks_as_are_asked_for() -> None:
    assert [leaves(tasks) for tasks in (2, 1_000, 10_000, 100_000, 1_000_000)] == [2, 512, 4_096, 65_536, 524_288]


def test_starts_are_compared_by_their_medians() -> None:
    taken = {IMPORT: [0.3, 0.1, 0.2], IMPORT_USED: [9.0], READY: [0.5]}
    assert [(goal.name, goal.found, goal.ratio) for goal in goals(taken)] == [
        ("import wukong", 200.0, pytest.approx(4 / 3)),
        ("LocalCluster()", 500.0, 0.5),
    ]
    assert "| import wukong | 200.0 | 100.0 | 3 |" in starts_table(taken)
