"""When a job has ended and was released, nothing of it is in any store but its tombstone, however it ended."""

from __future__ import annotations

import contextlib
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

from wukong import Client, DeadlineExceeded, Job, JobCancelled, LocalCluster
from wukong.redis import Connection

LENGTH = 40_000
PARTS = 6


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(environments=2, kvs_nodes=2, lease_seconds=1) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


@pytest.fixture
def stores(client: Client) -> Iterator[list[Connection]]:
    """The metadata store, and the KVS nodes."""
    connections = opened(client)
    yield connections
    for connection in connections:
        connection.close()


def left(stores: list[Connection]) -> set[str]:
    """All keys of all stores, but for the ring and tombstones."""
    found: set[str] = set()
    for number, store in enumerate(stores):
        keys = store.call("KEYS", "*")
        assert isinstance(keys, list)
        for key in keys:
            name = key.decode()
            if number or not (name.startswith("w:ring") or (name.endswith(":m") and _is_tombstone(store, name))):
                found.add(name)
    return found


def _is_tombstone(store: Connection, name: str) -> bool:
    ttl = store.call("TTL", name)
    assert isinstance(ttl, int)
    return store.call("HGET", name, "state") == b"gone" and 0 < ttl <= 1800


def values(stores: list[Connection], job: Job) -> int:
    """How many values of a job the nodes have."""
    count = 0
    for node in stores[1:]:
        keys = node.call("KEYS", f"*{job.id}:v:*")
        assert isinstance(keys, list)
        count += len(keys)
    return count


def graph(folder: Path, last: Callable[[], Any] = lambda: 1) -> dict[str, Any]:
    """Large values that are stored, made of an upload, and used when the file `go` is there; the results are large."""

    def gate() -> Any:
        with (folder / "waits").open("a") as file:
            file.write(f"{os.getpid()}\n")
        until((folder / "go").exists)
        return last()

    def scaled(part: Any, factor: int) -> Any:
        return part * factor

    made: dict[str, Any] = {"gate": (gate,), "data": np.ones(LENGTH)}
    for i in range(PARTS):
        made[f"part-{i}"] = (np.multiply, "data", float(i))
        made[f"result-{i}"] = (scaled, f"part-{i}", "gate")
    return made


RESULTS = [f"result-{i}" for i in range(PARTS)]


def begun(client: Client, stores: list[Connection], folder: Path, **options: Any) -> Job:
    """A job that has stored all its parts and waits at its gate."""
    job = client.submit_graph(graph(folder, options.pop("last", lambda: 1)), RESULTS, policy="stateless", **options)
    until(lambda: values(stores, job) >= PARTS and (folder / "waits").exists())
    return job


def pid(folder: Path) -> int:
    """The environment that waits at the gate."""
    until(lambda: (folder / "waits").read_text().endswith("\n"))
    return int((folder / "waits").read_text().split()[-1])


def released(client: Client, job: Job, stores: list[Connection]) -> None:
    """Let go of everything, and find nothing left."""
    job.release()
    client.close()
    until(lambda: not left(stores))


def test_of_a_job_that_is_done(client: Client, stores: list[Connection], tmp_path: Path) -> None:
    job = begun(client, stores, tmp_path)
    (tmp_path / "go").touch()
    found = job.result()
    assert [value[-1] for value in found] == list(range(PARTS))
    released(client, job, stores)


def test_of_a_job_whose_values_were_lost_and_healed(client: Client, stores: list[Connection], tmp_path: Path) -> None:
    job = begun(client, stores, tmp_path)
    for node in stores[1:]:
        keys = node.call("KEYS", f"*{job.id}:v:*")
        assert isinstance(keys, list)
        if keys:
            node.call("UNLINK", *keys)
    (tmp_path / "go").touch()
    assert [value[-1] for value in job.result()] == list(range(PARTS))
    assert job.report().healed >= PARTS
    released(client, job, stores)


def test_of_a_job_that_failed(client: Client, stores: list[Connection], tmp_path: Path) -> None:
    def fails() -> None:
        raise RuntimeError("no")

    job = begun(client, stores, tmp_path, last=fails)
    (tmp_path / "go").touch()
    with pytest.raises(RuntimeError, match="no"):
        job.result()
    # Its values go with its end, before anybody lets go of it.
    until(lambda: values(stores, job) == 0)
    released(client, job, stores)


def test_of_a_job_that_was_cancelled(client: Client, stores: list[Connection], tmp_path: Path) -> None:
    job = begun(client, stores, tmp_path)
    job.cancel()
    until(lambda: values(stores, job) == 0)
    with pytest.raises(JobCancelled):
        job.result()
    released(client, job, stores)


def test_of_a_job_that_is_over_while_a_task_cannot_be_interrupted(
    client: Client, stores: list[Connection], tmp_path: Path
) -> None:
    """The environment ends with the task; before that it removes what is there, as it may have written it late."""

    def stubborn() -> None:
        while True:
            with contextlib.suppress(BaseException):
                time.sleep(300)

    job = begun(client, stores, tmp_path, last=stubborn)
    (tmp_path / "go").touch()
    # Nobody else removes anything: this is what the executor hears, and no more.
    stores[0].call("HSET", f"w:{job.id}:m", "state", "cancelled")
    until(lambda: values(stores, job) == 0)
    released(client, job, stores)


def test_of_a_job_past_its_deadline(client: Client, stores: list[Connection], tmp_path: Path) -> None:
    job = begun(client, stores, tmp_path, deadline=2)
    with pytest.raises(DeadlineExceeded):
        job.result()
    until(lambda: values(stores, job) == 0)
    released(client, job, stores)


def test_of_a_job_that_is_released_while_it_runs(client: Client, stores: list[Connection], tmp_path: Path) -> None:
    job = begun(client, stores, tmp_path)
    released(client, job, stores)


def test_of_a_job_with_a_writer_that_died_in_the_middle_and_values_on_other_candidates(
    client: Client, stores: list[Connection], tmp_path: Path
) -> None:
    """A stripe of a value that nobody finished, under the token of nobody; and one full node, so the other has all."""
    _, first, second = stores
    first.call("CONFIG", "SET", "maxmemory", 1)
    try:
        job = begun(client, stores, tmp_path)
        assert first.call("KEYS", f"*{job.id}:v:*") == []
        # As `RedisKvs.writer` does it: a stripe and its key in the index.
        stripe = f"w:{job.id}:v:99:dead:0"
        second.pipeline([("SADD", f"w:{job.id}:k", stripe), ("SET", stripe, bytes(100_000), "PX", 3_600_000)])
        os.kill(pid(tmp_path), signal.SIGKILL)
        (tmp_path / "go").touch()
        assert [value[-1] for value in job.result()] == list(range(PARTS))
    finally:
        first.call("CONFIG", "SET", "maxmemory", 0)
    released(client, job, stores)
