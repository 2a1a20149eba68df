"""More work than an invocation has time for: it is handed over, and nothing is lost or run twice."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wukong import Client, LocalCluster


def _step(folder: str, number: int, *_: Any) -> int:
    return _long(folder, number, 0.25)


def _long(folder: str, number: int, seconds: float, *_: Any) -> int:
    with (Path(folder) / "runs").open("a") as runs:
        runs.write(f"{number}\n")
    time.sleep(seconds)
    return number


def _heavy(folder: str, number: int, *values: Any) -> Any:
    _long(folder, number, 0.25)
    return np.full(500_000, 1 + sum(float(value[-1]) for value in values))


def _runs(folder: Path) -> Counter[int]:
    return Counter(map(int, (folder / "runs").read_text().split()))


def test_more_tasks_than_one_invocation_has_time_for(tmp_path: Path) -> None:
    """A row of them and independent ones, ten seconds in all for two environments with three seconds each."""
    dsk: dict[Any, Any] = {("wide", i): (_step, str(tmp_path), i) for i in range(20)}
    dsk |= {("long", i): (_step, str(tmp_path), 20 + i, ("long", i - 1) if i else None) for i in range(20)}
    dsk["sum"] = (sum, [*dsk])
    with LocalCluster(environments=2, timeout=3, lease_seconds=60) as cluster, Client(cluster) as client:
        result, report = client.get(dsk, "sum"), client.report()
        assert "timed out" not in cluster.logs()["wukong-executor"]
    assert result == sum(range(40))
    assert report.tasks_run == len(dsk)
    assert report.executors >= 4
    assert sorted(_runs(tmp_path).elements()) == list(range(40))


@pytest.fixture(scope="module")
def short() -> Any:
    with LocalCluster(environments=2, timeout=4, lease_seconds=60) as cluster:
        yield cluster


@pytest.mark.parametrize("policy", ["heartbeat", "wukong2020"])
def test_large_values_and_fan_ins_are_handed_over(short: LocalCluster, tmp_path: Path, policy: str) -> None:
    """Two rows of 4 MB each that need each other's values now and then, four seconds each."""
    dsk: dict[Any, Any] = {}
    for i in range(16):
        for row in range(2):
            before = [] if not i else [(row, i - 1), (1 - row, i - 1)] if i % 4 == 0 else [(row, i - 1)]
            dsk[row, i] = (_heavy, str(tmp_path), 2 * i + row, *before)
    expected: dict[Any, float] = {}
    for key, (_, _, _, *before) in dsk.items():
        expected[key] = 1 + sum(expected[other] for other in before)
    with Client(short) as client:
        found = client.get(dsk, [(0, 15), (1, 15)], policy=policy)
    assert [float(value[-1]) for value in found] == [expected[0, 15], expected[1, 15]]
    assert set(_runs(tmp_path).values()) == {1}
    assert "timed out" not in short.logs()["wukong-executor"]


def test_a_task_that_takes_longer_than_what_is_left_has_a_whole_invocation(short: LocalCluster, tmp_path: Path) -> None:
    """It would end each executor that first repeats what came before it."""
    dsk: dict[Any, Any] = {("t", i): (_step, str(tmp_path), i, ("t", i - 1) if i else None) for i in range(10)}
    dsk["t", 8] = (_long, str(tmp_path), 8, 2.5, ("t", 7))
    with Client(short) as client:
        assert client.get(dsk, ("t", 9)) == 9
    runs = _runs(tmp_path)
    assert runs.pop(8) == 2
    assert runs == Counter(i for i in range(10) if i != 8)
    assert "timed out" not in short.logs()["wukong-executor"]
