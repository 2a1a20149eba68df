"""Values leave the KVS as soon as all who use them are done, on real servers; and nobody ever misses one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.integration.conftest import opened
from tests.waiting import until

from wukong import Client, LocalCluster
from wukong.redis import Connection

WIDTH = 4
LENGTH = 30_000
#: One stage of the chains: 240 kB in each value.
STAGE_BYTES = WIDTH * LENGTH * 8


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(environments=2, kvs_nodes=2, kvs_memory_mb=8, lease_seconds=2) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


@pytest.fixture
def nodes(client: Client) -> Iterator[list[Connection]]:
    mds, *connections = opened(client)
    yield connections
    for connection in (mds, *connections):
        connection.close()


def names(nodes: list[Connection], job: str) -> set[str]:
    """What the nodes have of a job: names of values."""
    found: set[str] = set()
    for node in nodes:
        keys = node.call("KEYS", f"*{job}:v:*")
        assert isinstance(keys, list)
        found.update(key.decode().split(":")[3] for key in keys)
    return found


def mixed(*parts: Any) -> Any:
    """A value made of all those of the stage before, after some work."""
    time.sleep(0.02)
    return np.full(LENGTH, sum(float(part[-1]) for part in parts) / len(parts) + 1)


def chain(stages: int, last: Callable[..., Any]) -> dict[Any, Any]:
    """Stages in which each task uses all values of the stage before; `last` uses those of the last one."""
    graph: dict[Any, Any] = {("stage", 0, i): (np.full, LENGTH, float(i)) for i in range(WIDTH)}
    for stage in range(1, stages):
        for i in range(WIDTH):
            graph["stage", stage, i] = (mixed, *[("stage", stage - 1, j) for j in range(WIDTH)])
    graph["end"] = (last, *[("stage", stages - 1, i) for i in range(WIDTH)])
    return graph


def total(*parts: Any) -> float:
    return sum(float(part[0]) for part in parts)


def expected(stages: int) -> float:
    """The mean of the first stage, and one more for each further stage, times the values of the last one."""
    return WIDTH * (sum(range(WIDTH)) / WIDTH + stages - 1)


@pytest.mark.parametrize("policy", ["heartbeat", "stateless"])
def test_a_long_chain_of_stages_needs_room_for_a_few_of_them(client: Client, policy: str) -> None:
    stages = 50
    assert client.get(chain(stages, total), "end", policy=policy) == expected(stages)
    report = client.report()
    assert report.bytes_written > 0.9 * stages * STAGE_BYTES
    assert 0 < 10 * report.peak_stored <= stages * STAGE_BYTES
    assert (report.tasks_run, report.tasks_run_again, report.healed) == (stages * WIDTH + 1, 0, 0)


def waiting(folder: Path) -> Callable[..., float]:
    """A last task that begins, and ends when the file `go` is there."""

    def gate(*parts: Any) -> float:
        with (folder / "began").open("a") as file:
            file.write(f"{os.getpid()}\n")
        until((folder / "go").exists)
        return sum(float(part[0]) for part in parts)

    return gate


def test_in_the_end_only_what_the_last_task_uses_is_there(
    client: Client, nodes: list[Connection], tmp_path: Path
) -> None:
    job = client.submit_graph(chain(4, waiting(tmp_path)), "end", policy="stateless")
    until((tmp_path / "began").exists)
    # Tasks are numbered in depth-first order; each value is a bundle of one here, or a value of its own.
    until(lambda: len(names(nodes, job.id)) == WIDTH)
    (tmp_path / "go").touch()
    assert job.result() == expected(4)
    assert STAGE_BYTES < job.report().peak_stored < 4 * STAGE_BYTES


def test_who_takes_a_record_over_finds_its_inputs(client: Client, nodes: list[Connection], tmp_path: Path) -> None:
    job = client.submit_graph(chain(4, waiting(tmp_path)), "end", policy="stateless")
    began = tmp_path / "began"
    until(began.exists)
    until(lambda: len(names(nodes, job.id)) == WIDTH)
    until(lambda: began.read_text().endswith("\n"))
    os.kill(int(began.read_text()), signal.SIGKILL)
    (tmp_path / "go").touch()
    assert job.result() == expected(4)
    report = job.report()
    assert (report.tasks_run, report.healed) == (4 * WIDTH + 1, 0)


def test_what_is_lost_is_computed_again_from_what_was_freed(
    client: Client, nodes: list[Connection], tmp_path: Path
) -> None:
    """The last stage is lost before its user reads it, and the stages before it have been freed."""

    def last(go: int, *parts: Any) -> float:
        return go * total(*parts)

    def gate() -> int:
        (tmp_path / "began").touch()
        until((tmp_path / "go").exists)
        return 1

    graph = chain(4, total)
    graph["gate"] = (gate,)
    graph["end"] = (last, "gate", *graph["end"][1:])
    job = client.submit_graph(graph, "end", policy="stateless")
    until(lambda: job.report().tasks_run == 4 * WIDTH)  # all but the gate, and who waits for it
    until(lambda: len(names(nodes, job.id)) == WIDTH)
    for node in nodes:
        node.call("FLUSHALL")
    (tmp_path / "go").touch()
    assert job.result() == expected(4)
    assert job.report().healed == 4 * WIDTH
