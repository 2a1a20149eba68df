"""Who keeps a record: a task that holds the interpreter does; an environment that is stopped does not."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.waiting import until

from wukong import Client, LocalCluster

LEASE = 1.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(environments=2, lease_seconds=LEASE) as cluster:
        yield cluster


def test_a_task_that_keeps_the_interpreter_for_longer_than_a_lease_runs_once(
    cluster: LocalCluster, client: Client, tmp_path: Path
) -> None:
    def hold(seconds: int) -> int:
        with open(tmp_path / "runs", "a") as file:
            file.write("run\n")
        ctypes.PyDLL(None).sleep(seconds)
        return seconds

    assert client.get({"a": (hold, 3)}, "a") == 3
    assert (tmp_path / "runs").read_text() == "run\n"
    assert client.report().executors == 1


def test_a_stopped_environment_loses_its_record_and_what_it_writes_later_is_refused(
    cluster: LocalCluster, client: Client, tmp_path: Path
) -> None:
    def wait() -> int:
        mine = os.getpid()
        (tmp_path / f"begun-{mine}").touch()
        while not (tmp_path / f"go-{mine}").exists():
            time.sleep(0.01)
        return mine

    def begun() -> list[int]:
        return [int(path.name.partition("-")[2]) for path in tmp_path.glob("begun-*")]

    def invocations_ended() -> int:
        return cluster.logs()["wukong-executor"].count("\tDuration:")

    job = client.submit_graph({"a": (wait,)}, "a")
    until(lambda: len(begun()) == 1)
    (first,) = begun()
    stopped = psutil.Process(first)
    stopped.send_signal(signal.SIGSTOP)
    try:
        until(lambda: len(begun()) == 2)
        (second,) = set(begun()) - {first}
        (tmp_path / f"go-{first}").touch()
        ended = invocations_ended()
    finally:
        stopped.send_signal(signal.SIGCONT)
    until(lambda: invocations_ended() > ended)
    assert job.state == "running"
    (tmp_path / f"go-{second}").touch()
    assert job.result() == second
    assert job.report().executors == 2
