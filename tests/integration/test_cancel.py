"""A job that is cancelled or past its deadline stops the task that runs, so that its environment is free."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from wukong import Client, LocalCluster
from wukong.errors import DeadlineExceeded, WukongError
from wukong.rpc.v1 import scheduler_pb2


def linger(path: str) -> None:
    Path(path).touch()
    time.sleep(300)


@pytest.fixture
def single() -> Iterator[LocalCluster]:
    with LocalCluster(environments=1, lease_seconds=2) as cluster:
        yield cluster


def test_a_cancelled_jobs_environment_serves_the_next_one(single: LocalCluster, tmp_path: Path) -> None:
    started = tmp_path / "started"
    with Client(single) as client:
        caught: list[BaseException] = []

        def run() -> None:
            try:
                client.get({"x": (linger, str(started))}, "x")
            except WukongError as error:
                caught.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        deadline = time.monotonic() + 20
        while not started.exists():
            assert time.monotonic() < deadline
        (job,) = [name for name, state in client.jobs() if state == "running"]
        client._connection.scheduler.CancelJob(scheduler_pb2.CancelJobRequest(job_id=job, reason="enough"))
        thread.join(10)
        assert "enough" in str(caught[0])
        before = time.monotonic()
        assert client.get({"y": (abs, -2)}, "y") == 2
        assert time.monotonic() - before < 5


def test_a_deadline_stops_the_task(single: LocalCluster, tmp_path: Path) -> None:
    with Client(single) as client:
        with pytest.raises(DeadlineExceeded):
            client.get({"x": (linger, str(tmp_path / "started"))}, "x", deadline=1.5)
        before = time.monotonic()
        assert client.get({"y": (abs, -2)}, "y") == 2
        assert time.monotonic() - before < 5
