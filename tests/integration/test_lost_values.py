"""KVS nodes lose what they hold in the middle of jobs: it is computed again, and the result is right."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.integration.conftest import opened

from wukong import Client, InputLost, LocalCluster
from wukong.redis import Connection

PARTS = 8
#: More than a mark, or a bundle, holds.
LENGTH = 40_000


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(environments=2, kvs_nodes=2, lease_seconds=2) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


@contextmanager
def reached(client: Client) -> Iterator[list[Connection]]:
    """Connections to the KVS nodes, which come after the metadata store."""
    mds, *connections = opened(client)
    yield connections
    for connection in (mds, *connections):
        connection.close()


@pytest.fixture
def nodes(client: Client) -> Iterator[list[Connection]]:
    with reached(client) as connections:
        yield connections


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def held(nodes: list[Connection], job: str) -> list[int]:
    """How many values of a job each node has."""
    counts = []
    for node in nodes:
        names = node.call("KEYS", f"*{job}:v:*")
        assert isinstance(names, list)
        counts.append(len(names))
    return counts


def parts(folder: Path) -> dict[str, Any]:
    """Large values that one executor makes, and another one needs as soon as the file `go` is there."""

    def gate() -> int:
        (folder / "waits").touch()
        until((folder / "go").exists)
        return 1

    def together(part: Any, factor: int) -> int:
        return int(part.sum()) * factor

    graph: dict[str, Any] = {"gate": (gate,)}
    for i in range(PARTS):
        graph[f"number-{i}"] = (abs, -i)
        graph[f"part-{i}"] = (np.full, LENGTH, f"number-{i}")
        graph[f"sum-{i}"] = (together, f"part-{i}", "gate")
    graph["all"] = (sum, [f"sum-{i}" for i in range(PARTS)])
    return graph


EXPECTED = LENGTH * sum(range(PARTS))


@pytest.mark.parametrize("policy", ["heartbeat", "wukong2020", "stateless"])
def test_a_node_that_loses_its_values_costs_only_the_work_to_make_them(
    cluster: LocalCluster, nodes: list[Connection], tmp_path: Path, policy: str
) -> None:
    with Client(cluster) as client:
        job = client.submit_graph(parts(tmp_path), "all", policy=policy)
        until(lambda: sum(held(nodes, job.id)) >= PARTS and (tmp_path / "waits").exists())
        lost = max(zip(held(nodes, job.id), range(len(nodes)), strict=True))
        nodes[lost[1]].call("FLUSHALL")
        (tmp_path / "go").touch()
        assert job.result() == EXPECTED
        report = client.report()
        assert report.healed >= lost[0] > 0
        assert report.tasks_run_again >= report.healed


def test_a_node_that_is_killed_takes_no_job_along(tmp_path: Path) -> None:
    with LocalCluster(environments=2, kvs_nodes=2, lease_seconds=2) as cluster, Client(cluster) as client:
        job = client.submit_graph(parts(tmp_path), "all", policy="stateless")
        with reached(client) as nodes:
            until(lambda: sum(held(nodes, job.id)) >= PARTS and (tmp_path / "waits").exists())
            number = max(range(len(nodes)), key=held(nodes, job.id).__getitem__)
        _, *stores = [pid for role, pid in cluster.processes() if role == "store"]
        os.kill(stores[number], signal.SIGKILL)
        (tmp_path / "go").touch()
        assert job.result() == EXPECTED
        assert client.report().healed > 0
        # And the next job is not the worse for it.
        assert client.get({**parts(tmp_path), "gate": 1}, "all") == EXPECTED


def test_a_job_that_loses_nothing_heals_nothing(client: Client, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    assert client.get(parts(tmp_path), "all") == EXPECTED
    assert (client.report().healed, client.report().tasks_run_again) == (0, 0)


def test_an_uploaded_input_that_is_lost_is_named(client: Client, nodes: list[Connection], tmp_path: Path) -> None:
    def gate() -> int:
        (tmp_path / "waits").touch()
        until((tmp_path / "go").exists)
        return 1

    def together(part: Any, factor: int) -> int:
        return int(part.sum()) * factor

    data = np.arange(1_000_000)
    graph = {"gate": (gate,), "data": data, "sum": (together, "data", "gate")}
    job = client.submit_graph(graph, "sum", policy="stateless")
    until(lambda: (tmp_path / "waits").exists())
    for node in nodes:
        node.call("FLUSHALL")
    (tmp_path / "go").touch()
    with pytest.raises(InputLost) as caught:
        job.result()
    assert "data" in str(caught.value)
    # What the error says to do helps.
    assert client.get({"data": data, "sum": (np.sum, "data")}, "sum") == 499_999_500_000
