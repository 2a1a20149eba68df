"""More work than an invocation has time for: it is handed over, and nothing is lost or run twice."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from wukong import Client, LocalCluster


def _step(folder: str, number: int, *_: Any) -> int:
    with (Path(folder) / "runs").open("a") as runs:
        runs.write(f"{number}\n")
    time.sleep(0.25)
    return number


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
    assert sorted(map(int, (tmp_path / "runs").read_text().split())) == list(range(40))
