"""Tasks that end the environment that runs them: each kind says what it was, of which task, and the next job runs.

The platform reports each death at once, so nobody waits for the lease, which is a minute here.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import pytest

from wukong import Client, ExecutorLost, LocalCluster, TaskError
from wukong.rpc.channel import channel
from wukong.rpc.v1 import graph_pb2, job_pb2, scheduler_pb2, scheduler_pb2_grpc

MAX_DEATHS = 5  # the default of WUKONG_MAX_DEATHS
TIMEOUTS = 2  # as often a task may meet the time limit


@pytest.fixture(scope="module")
def frail() -> Iterator[LocalCluster]:
    with LocalCluster(environments=1, memory_mb=300, timeout=2, lease_seconds=60) as cluster:
        yield cluster


@pytest.fixture
def client(frail: LocalCluster) -> Iterator[Client]:
    before = time.monotonic()
    with Client(frail) as client:
        yield client
        assert client.get({"after": (abs, -1)}, "after") == 1
    assert time.monotonic() - before < 30


def _exit(*_: Any) -> None:
    os._exit(3)


def _crash(*_: Any) -> None:
    ctypes.string_at(0)


def _hog(*_: Any) -> int:
    return len(b"x" * 2**29)


def _sleep(*_: Any) -> None:
    time.sleep(30)


def _hold(*_: Any) -> None:
    """Keeps the interpreter lock, so that no other thread says anything of it."""
    ctypes.PyDLL(None).sleep(30)


def _leave(*_: Any) -> None:
    sys.exit("enough")


@pytest.mark.parametrize(
    ("end", "deaths", "said", "to_do"),
    [
        (_exit, MAX_DEATHS, "exit status 3", "function's log"),
        (_crash, MAX_DEATHS, "signal: segmentation fault", "function's log"),
        (_hog, MAX_DEATHS, "out of memory, with [0-9]+ of 300 MiB", "Use smaller chunks, or a larger memory_mb"),
        (_sleep, TIMEOUTS, r"time limit \(Task timed out after 2.00 seconds\)", "Cut the task into smaller ones, or"),
        (_hold, TIMEOUTS, r"time limit \(Task timed out after 2.00 seconds\)", "Cut the task into smaller ones, or"),
    ],
    ids=["exit", "crash", "memory", "time", "hold"],
)
def test_a_task_that_ends_its_environments_is_named_with_the_cause(
    client: Client, end: Any, deaths: int, said: str, to_do: str
) -> None:
    dsk = {"before": (abs, -1), ("x", 1): (end, "before"), "after": (abs, ("x", 1))}
    with pytest.raises(ExecutorLost, match=said) as told:
        client.get(dsk, "after")
    assert told.value.task == ("x", 1)
    assert f"task ('x', 1) was lost: the task ended {deaths} executors" in str(told.value)
    assert to_do in str(told.value)
    again = pickle.loads(pickle.dumps(told.value))
    assert (type(again), str(again), vars(again)) == (ExecutorLost, str(told.value), vars(told.value))


def _compute(client: Client) -> tuple[Any, Callable[[], Any]]:
    lost = dask.delayed(_exit)(dask.delayed(abs)(-1))
    return lost.key, lambda: lost.compute(scheduler=client.get)


def _submit(client: Client) -> tuple[Any, Callable[[], Any]]:
    future = client.submit(_exit)
    return future.key, future.result


def _map(client: Client) -> tuple[Any, Callable[[], Any]]:
    futures = client.map(_exit, range(1))
    return futures[0].key, lambda: client.gather(futures)


def _persist(client: Client) -> tuple[Any, Callable[[], Any]]:
    lost = dask.delayed(_exit)()
    kept = client.persist(lost)
    return lost.key, lambda: client.compute(kept + 1)


@pytest.mark.parametrize("way", [_compute, _submit, _map, _persist])
def test_every_way_to_run_a_task_names_it(
    client: Client, way: Callable[[Client], tuple[Any, Callable[[], Any]]]
) -> None:
    key, run = way(client)
    with pytest.raises(ExecutorLost, match="the task ended 5 executors, the last one with: exit status 3") as told:
        run()
    assert told.value.task == key


def test_a_call_by_name_that_ends_its_environments_is_named(frail: LocalCluster, client: Client) -> None:
    """By its value, which is too large for the environment once more while it is made JSON."""
    call = graph_pb2.Call(function="operator:mul")
    call.args.extend(["x", 2**28])
    with channel(frail.address, frail.token) as connection:
        stub = scheduler_pb2_grpc.SchedulerStub(connection)
        task = graph_pb2.Task(id="wide", call=call)
        stub.SubmitJob(scheduler_pb2.SubmitJobRequest(job_id="lost-call", tasks=[task], targets=["wide"]))
        *_, last = stub.WatchJob(scheduler_pb2.WatchJobRequest(job_id="lost-call"))
        stub.ReleaseJob(job_pb2.JobRef(job_id="lost-call"))
    assert last.state.job.error.type == "ExecutorLost"
    assert "ran task 'wide' was lost: the task ended" in last.state.job.error.message


@pytest.mark.parametrize("policy", ["wukong2020", "stateless"])
def test_every_policy_names_it(client: Client, policy: str) -> None:
    with pytest.raises(ExecutorLost, match="the task ended 5 executors, the last one with: exit status 3") as told:
        client.get({"before": (abs, -1), "x": (_exit, "before"), "y": (abs, "before")}, ["x", "y"], policy=policy)
    assert told.value.task == "x"


def _end_twice(folder: str, number: int, *_: Any) -> int:
    with (Path(folder) / "runs").open("a") as runs:
        runs.write(f"{number}\n")
    if number == 7 and (Path(folder) / "runs").read_text().split().count("7") < 3:
        os._exit(3)
    return number


@pytest.mark.parametrize("policy", ["heartbeat", "wukong2020", "stateless"])
def test_a_task_that_ends_two_environments_and_then_runs_lets_its_job_end_well(
    client: Client, tmp_path: Path, policy: str
) -> None:
    """What ran in one of them before it may run again; nothing else does."""
    dsk: dict[Any, Any] = {("t", i): (_end_twice, str(tmp_path), i) for i in range(10)}
    dsk["sum"] = (sum, list(dsk))
    assert client.get(dsk, "sum", policy=policy) == sum(range(10))
    runs = list(map(int, (tmp_path / "runs").read_text().split()))
    assert {number: runs.count(number) for number in range(10)}[7] == 3
    assert all(1 <= len(list(group)) <= 3 for _, group in itertools.groupby(sorted(runs)))


def test_a_task_that_leaves_the_program_ends_the_job_and_no_environment(client: Client) -> None:
    with pytest.raises(TaskError, match="SystemExit: enough") as told:
        client.get({("x", 1): (_leave,)}, ("x", 1))
    assert told.value.key == ("x", 1)
