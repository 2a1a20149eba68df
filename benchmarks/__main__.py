"""`make bench`: interleaved samples, warm cluster, medians and minima; a table, a JSON file and a closing line."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import dask

from benchmarks.workloads import WORKLOADS, independent
from wukong import Client, LocalCluster

SAMPLES = 11
LARGE = 100_000


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what the function returned."""
    started = time.perf_counter()
    value = function()
    return time.perf_counter() - started, value


def compare(client: Client) -> list[dict[str, Any]]:
    """Each workload on both engines, turn by turn."""
    rows = []
    for workload in WORKLOADS:
        graph, keys = workload.build()
        engines: dict[str, Callable[..., Any]] = {"dask": dask.get, "wukong": client.get}
        samples: dict[str, list[float]] = {name: [] for name in engines}
        for turn in range(SAMPLES + 1):
            results = {}
            for name in sorted(engines, reverse=turn % 2 == 1):
                seconds, results[name] = timed(partial(engines[name], graph, keys))
                if turn:  # the first turn warms up
                    samples[name].append(seconds)
            if results["dask"] != results["wukong"]:
                raise SystemExit(f"{workload.name}: the results differ")
        report = client.report()
        medians = {name: statistics.median(times) for name, times in samples.items()}
        rows.append(
            {
                "workload": workload.name,
                "dask_ms": medians["dask"] * 1000,
                "wukong_ms": medians["wukong"] * 1000,
                "dask_min_ms": min(samples["dask"]) * 1000,
                "wukong_min_ms": min(samples["wukong"]) * 1000,
                "ratio": medians["wukong"] / medians["dask"],
                "goal": workload.goal,
                "executors": report.executors,
                "round_trips": report.round_trips,
            }
        )
    return rows


def main() -> int:
    """Run everything; 1 if a goal is missed."""
    starts = []
    for _ in range(3):
        seconds, cluster = timed(LocalCluster)
        starts.append(seconds)
        cluster.close()
    with LocalCluster() as cluster, Client(cluster) as client:
        rows = compare(client)
        graph, keys = independent(LARGE)
        large, result = timed(lambda: client.get(graph, keys))
        if result != tuple(range(1, LARGE + 1)):
            raise SystemExit("the large graph's results differ")
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}")
    print("| workload | Dask synchronous, ms | Wukong, ms | ratio | goal | executors | store round trips |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['workload']} | {row['dask_ms']:.1f} (min {row['dask_min_ms']:.1f}) "
            f"| {row['wukong_ms']:.1f} (min {row['wukong_min_ms']:.1f}) | {row['ratio']:.2f} | <= {row['goal']:.1f} "
            f"| {row['executors']} | {row['round_trips']} |"
        )
    print(f"LocalCluster() ready: median {statistics.median(starts):.2f} s (goal < 2 s)")
    print(f"{LARGE:,} independent tasks, submitted, run and read: {large:.2f} s (goal < 10 s)")
    out = Path("build/bench.json")
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({"rows": rows, "start_s": starts, "large_s": large}, indent=2))
    worst = max(rows, key=lambda row: row["ratio"] / row["goal"])
    print(f"worst ratio to goal: {worst['ratio'] / worst['goal']:.2f} ({worst['workload']}, Dask synchronous)")
    return int(worst["ratio"] > worst["goal"] or statistics.median(starts) > 2 or large > 10)


if __name__ == "__main__":
    sys.exit(main())
