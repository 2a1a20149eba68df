"""Parts of a cluster are killed in the middle of jobs, at moments from a seed that is printed: the result is right.

`WUKONG_TEST_SEED` repeats a run, as far as moments can be repeated.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.waiting import until

import wukong.client.session
from wukong import Client, LocalCluster

LEASE = 1.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(environments=2, lease_seconds=LEASE) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    client = Client(cluster, timeout=90)
    yield client
    client.close()


@pytest.fixture
def chance() -> random.Random:
    seed = int(os.environ.get("WUKONG_TEST_SEED") or random.randrange(2**32))
    print(f"WUKONG_TEST_SEED={seed}")
    return random.Random(seed)


def kill(cluster: LocalCluster, role: str) -> int:
    """Kill the first process of a role; the metadata store's is the first store."""
    pid = next(pid for name, pid in cluster.processes() if name == role)
    os.kill(pid, signal.SIGKILL)
    return pid


def tree(folder: Path, leaves: int, seconds: float) -> dict[str, Any]:
    """A sum of `leaves` numbers by pairs, whose first tasks take a while and say that they began."""

    def leaf(number: int) -> int:
        (folder / f"begun-{number}").touch()
        time.sleep(seconds)
        return number

    graph: dict[str, Any] = {f"0-{i}": (leaf, i) for i in range(leaves)}
    level, width = 0, leaves
    while width > 1:
        for i in range(width // 2):
            graph[f"{level + 1}-{i}"] = (add, f"{level}-{2 * i}", f"{level}-{2 * i + 1}")
        level, width = level + 1, width // 2
    return graph


@pytest.mark.parametrize("role", ["control", "store", "storekeeper", "zygote"])
def test_a_part_that_is_killed_in_the_middle_of_a_job(
    cluster: LocalCluster, client: Client, chance: random.Random, tmp_path: Path, role: str
) -> None:
    moment = chance.randrange(1, 24)
    job = client.submit_graph(tree(tmp_path, 32, 0.05), "5-0")
    until(lambda: len(list(tmp_path.glob("begun-*"))) >= moment)
    kill(cluster, role)
    assert job.result() == sum(range(32))
    assert client.get({"a": (abs, -3)}, "a") == 3


def test_the_control_process_is_killed_while_a_graph_is_submitted(
    cluster: LocalCluster, client: Client, chance: random.Random
) -> None:
    rows = [np.full(40_000, float(i)) for i in range(60)]
    graph: dict[str, Any] = {f"x{i}": (np.sum, row) for i, row in enumerate(rows)}
    graph |= {f"p{i}": (len, bytes([i % 250]) * 60_000) for i in range(300)}
    graph["sum"] = (sum, [*(f"x{i}" for i in range(60)), *(f"p{i}" for i in range(300))])
    expected = 40_000 * sum(range(60)) + 300 * 60_000
    delay = chance.uniform(0.0, 0.4)
    killer = threading.Timer(delay, kill, (cluster, "control"))
    killer.start()
    try:
        assert client.get(graph, "sum") == expected
    finally:
        killer.join()


@pytest.mark.parametrize("reachable", [True, False])
def test_the_control_process_is_killed_while_a_result_is_read(
    cluster: LocalCluster, chance: random.Random, monkeypatch: pytest.MonkeyPatch, reachable: bool
) -> None:
    if not reachable:
        monkeypatch.setattr(wukong.client.session, "reach", lambda cluster: None)
    client = Client(cluster, timeout=90)
    try:
        job = client.submit_graph(
            {f"a{i}": (np.full, 2_000_000, float(i)) for i in range(8)}, [f"a{i}" for i in range(8)]
        )
        assert job.wait(90)
        killer = threading.Timer(chance.uniform(0.0, 0.15), kill, (cluster, "control"))
        killer.start()
        try:
            found = job.result()
        finally:
            killer.join()
        assert [float(values[0]) for values in found] == [float(i) for i in range(8)]
        assert all((values == values[0]).all() and len(values) == 2_000_000 for values in found)
    finally:
        client.close()


def test_the_control_process_is_killed_again_and_again(
    cluster: LocalCluster, client: Client, chance: random.Random, tmp_path: Path
) -> None:
    job = client.submit_graph(tree(tmp_path, 32, 0.1), "5-0")
    for _ in range(2):
        time.sleep(chance.uniform(0.0, 1.0))  # not to wait for anything: the moment is drawn
        kill(cluster, "control")
    assert job.result() == sum(range(32))
