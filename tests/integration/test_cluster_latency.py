"""A cluster that is told to feel like AWS: what its tasks and its user measure."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from wukong import Client, LocalCluster


def slow(number: int) -> int:
    time.sleep(0.02)
    return number


def round_trip() -> float:
    from wukong_executor.handler import _environment

    mds = _environment().mds
    times = []
    for _ in range(20):
        begun = time.perf_counter()
        mds.newest_ring()
        times.append(time.perf_counter() - begun)
    return min(times)


def test_everything_takes_longer_and_nothing_else_changes() -> None:
    latency = {"invoke_seconds": 0.03, "cold_start_seconds": 0.3, "store_seconds": 0.002, "store_mb_per_second": 100}
    with LocalCluster(environments=2, latency=latency) as cluster, Client(cluster) as client:
        assert 0.002 <= client.get({"x": (round_trip,)}, "x") < 0.01
        begun = time.monotonic()
        assert client.get({"x": (abs, -1)}, "x") == 1
        assert time.monotonic() - begun >= 0.03
        dsk: dict[Any, Any] = {("x", i): (slow, i) for i in range(40)}
        dsk["large"] = (np.ones, 500_000)
        dsk["sum"] = (lambda large, *numbers: int(large.sum()) + sum(numbers), "large", *[("x", i) for i in range(40)])
        assert client.get(dsk, "sum") == 500_000 + 780
        # It is 4 MB, which go through the executor's network.
        begun = time.monotonic()
        assert client.get({"y": (np.ones, 500_000)}, "y").sum() == 500_000
        assert time.monotonic() - begun >= 0.04
        log = cluster.logs()["wukong-executor"]
        starts = [float(line.partition("Init Duration: ")[2].split()[0]) for line in log.splitlines() if "Init" in line]
        assert starts
        assert min(starts) >= 300
        assert "relay" in dict(cluster.processes())
