"""A job that is cancelled or past its deadline stops the task that runs, so that its environment is free."""

from __future__ import annotations

import concurrent.futures
import ctypes
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.waiting import until

from wukong import Client, JobCancelled, LocalCluster
from wukong.errors import DeadlineExceeded, WukongError
from wukong.rpc.v1 import scheduler_pb2


def linger(path: str) -> None:
    Path(path).touch()
    time.sleep(300)


def linger_in_c(path: str) -> None:
    """A task that no signal reaches: it waits in a library for a lock that nobody gives back."""
    Path(path).write_text(str(os.getpid()))
    library = ctypes.CDLL(None)
    lock = ctypes.create_string_buffer(128)
    library.pthread_mutex_lock(lock)
    library.pthread_mutex_lock(lock)


def ignore_all(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    while True:
        try:
            time.sleep(300)
        except BaseException:
            continue


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
        assert time.monotonic() - before < 60  # the task takes 300 s


def test_a_deadline_stops_the_task(single: LocalCluster, tmp_path: Path) -> None:
    with Client(single) as client:
        with pytest.raises(DeadlineExceeded):
            client.get({"x": (linger, str(tmp_path / "started"))}, "x", deadline=1.5)
        before = time.monotonic()
        assert client.get({"y": (abs, -2)}, "y") == 2
        assert time.monotonic() - before < 60  # the task takes 300 s


def test_a_cancelled_future_frees_its_environment_at_once(single: LocalCluster, tmp_path: Path) -> None:
    started = tmp_path / "started"
    with Client(single) as client:
        future = client.submit(linger, str(started))
        until(started.exists)
        other = client.submit(abs, -3)
        before = time.monotonic()
        assert future.cancel()
        assert time.monotonic() - before < 60  # the task takes 300 s
        with pytest.raises(JobCancelled):
            future.result(timeout=10)
        with pytest.raises(concurrent.futures.CancelledError):
            future.exception()
        assert (future.cancelled(), future.done(), future.running()) == (True, True, False)
        done, waiting = concurrent.futures.wait([future, other], timeout=10)
        assert (done, waiting) == ({future, other}, set())
        assert set(concurrent.futures.as_completed([future, other], timeout=10)) == {future, other}
        assert other.result() == 3


@pytest.mark.parametrize("task", [linger_in_c, ignore_all])
def test_a_task_that_no_interrupt_ends_goes_with_its_environment(
    single: LocalCluster, tmp_path: Path, task: Callable[[str], None], gone: Callable[[list[int]], None]
) -> None:
    started = tmp_path / "started"
    with Client(single) as client:
        future = client.submit(task, str(started))
        until(lambda: started.exists() and started.read_text())
        pid = int(started.read_text())
        future.cancel()
        before = time.monotonic()
        gone([pid])  # in seconds; two beats are 0.4 s
        assert client.get({"y": (abs, -2)}, "y") == 2
        assert time.monotonic() - before < 30
