"""Jobs whose executors are started by the invoker function, on real embedded clusters."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import psutil
import pytest
from tests.waiting import until

import wukong
from wukong.cluster.plan import Plan

#: Leaves of which the default policy makes one first executor.
GROUP = 50_000


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., wukong.LocalCluster]]:
    """Start a cluster that starts every executor through invokers."""
    clusters: list[wukong.LocalCluster] = []

    def start(invokers: int, **options: Any) -> wukong.LocalCluster:
        monkeypatch.setattr("wukong.cluster.local.Plan", partial(Plan, invokers=invokers, invoker_threshold=0))
        clusters.append(wukong.LocalCluster(**options))
        return clusters[-1]

    yield start
    for cluster in clusters:
        cluster.close()


def _increment(value: int) -> int:
    return value + 1


def _blocks() -> tuple[dict[Any, Any], list[Any], tuple[int, ...]]:
    """As many leaves as make two first executors, sums of blocks of them, which are asked for, and their values."""
    leaves = 2 * GROUP
    graph: dict[Any, Any] = {("leaf", i): (_increment, i) for i in range(leaves)}
    graph |= {("sum", i): (sum, [("leaf", j) for j in range(i, i + 500)]) for i in range(0, leaves, 500)}
    sums = np.arange(1, leaves + 1).reshape(-1, 500).sum(axis=1)
    return graph, [("sum", i) for i in range(0, leaves, 500)], tuple(sums.tolist())


def _slow(value: int) -> int:
    time.sleep(0.02)
    return value * value


def _starts(cluster: wukong.LocalCluster, function: str) -> int:
    return cluster.logs().get(function, "").count("START RequestId")


def test_first_executors_come_through_invokers_each_once(start: Callable[..., wukong.LocalCluster]) -> None:
    cluster = start(2, environments=2)
    graph, keys, expected = _blocks()
    with wukong.Client(cluster) as client:
        assert client.get(graph, keys) == expected
        report = client.report()
    assert report.invocations >= 2
    until(lambda: _starts(cluster, "wukong-executor") >= report.invocations)
    assert _starts(cluster, "wukong-executor") == report.invocations == report.executors
    # One for each of the first records, and one for each offload after that.
    assert _starts(cluster, "wukong-invoker") >= 2


def test_what_executors_give_away_goes_through_invokers(start: Callable[..., wukong.LocalCluster]) -> None:
    cluster = start(2, environments=6)
    graph: dict[Any, Any] = {("leaf", i): (_slow, i) for i in range(200)}
    graph["total"] = (sum, [("leaf", i) for i in range(200)])
    with wukong.Client(cluster) as client:
        assert client.get(graph, "total") == sum(i * i for i in range(200))
        report = client.report()
    assert report.executors > 1
    assert report.tasks == 201
    until(lambda: _starts(cluster, "wukong-executor") >= report.invocations)
    assert _starts(cluster, "wukong-executor") == report.invocations
    assert 1 <= _starts(cluster, "wukong-invoker") <= report.invocations


def test_an_invoker_that_dies_midway_loses_nothing(start: Callable[..., wukong.LocalCluster]) -> None:
    cluster = start(1, environments=2, lease_seconds=3.0)
    with wukong.Client(cluster) as client:
        client.get({"x": (_increment, 1)}, "x")
        # On a busy machine the sweep may have been first; the invoker must be free again.
        until(lambda: "END RequestId" in cluster.logs().get("wukong-invoker", ""))
        invoker, *workers = _invoker_processes(cluster)
        before = _starts(cluster, "wukong-invoker")
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        results: list[Any] = []
        job = threading.Thread(target=lambda: results.append(client.get({"y": (_slow, 7)}, "y")))
        job.start()
        until(lambda: _starts(cluster, "wukong-invoker") > before)
        os.kill(invoker, signal.SIGKILL)
        job.join()
        report = client.report()
    assert results == [49]
    assert report.invocations >= 2  # the lost one, and the sweep's


def _invoker_processes(cluster: wukong.LocalCluster) -> list[int]:
    """The invoker's environment, and its workers: one for each core, where an executor's has one pulse."""
    environments = [psutil.Process(pid) for role, pid in cluster.processes() if role == "environment"]
    children = {environment.pid: [child.pid for child in environment.children()] for environment in environments}
    invoker = max(children, key=lambda pid: len(children[pid]))
    assert len(children[invoker]) > 1
    return [invoker, *children[invoker]]
