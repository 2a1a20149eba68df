"""Tasks that raise are run again as often as they may, by every way to say so."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import pytest

from wukong import Client, JobCancelled, LocalCluster, TaskError
from wukong.client.events import Retried
from wukong.rpc.channel import channel
from wukong.rpc.v1 import graph_pb2, job_pb2, scheduler_pb2, scheduler_pb2_grpc


@pytest.fixture
def runs(tmp_path: Path) -> Callable[[], int]:
    """How often `fail_until` ran."""
    return lambda: len(list(tmp_path.glob("run-*")))


def fail_until(folder: str, times: int, value: Any = "done", *_: Any) -> Any:
    """Raises in its first runs, as many as said."""
    run = len(os.listdir(folder))
    (Path(folder) / f"run-{run}").touch()
    if run < times:
        raise ValueError(f"run {run}")
    return value


def test_a_job_forgives_as_many_errors_as_it_says(client: Client, tmp_path: Path) -> None:
    graph = {"a": (fail_until, str(tmp_path), 2), "b": (str.upper, "a")}
    job = client.submit_graph(graph, "b", retries=2)
    assert job.result(timeout=60) == "DONE"
    told = [event for event in job.events() if isinstance(event, Retried)]
    assert [(event.task, event.attempt, event.message) for event in told] == [
        ("a", 1, "ValueError: run 0"),
        ("a", 2, "ValueError: run 1"),
    ]
    report = job.report()
    assert report.tasks_run == 2
    # Its pauses are 0.05 s and 0.1 s at least.
    assert {slow.task for slow in report.slowest} == {"a", "b"}
    assert report.slowest[0].seconds < 0.15
    assert report.time.waiting >= 0.15


def test_one_error_more_ends_the_job_with_the_number_of_runs(
    client: Client, tmp_path: Path, runs: Callable[[], int]
) -> None:
    with pytest.raises(ValueError, match="run 2") as caught:
        client.get({"a": (fail_until, str(tmp_path), 9)}, "a", retries=2)
    assert isinstance(caught.value.__cause__, TaskError)
    assert caught.value.__cause__.attempt == 3
    assert runs() == 3


def test_without_retries_the_first_error_ends_the_job(client: Client, tmp_path: Path, runs: Callable[[], int]) -> None:
    with pytest.raises(ValueError, match="run 0"):
        client.get({"a": (fail_until, str(tmp_path), 1)}, "a")
    assert runs() == 1


def test_what_a_task_says_goes_before_what_the_job_says(
    client: Client, tmp_path: Path, runs: Callable[[], int]
) -> None:
    with dask.annotate(retries=1):
        call = dask.delayed(fail_until)(str(tmp_path), 3)
    with pytest.raises(ValueError, match="run 1"):
        call.compute(scheduler=client.get, retries=5)
    assert runs() == 2


@pytest.mark.parametrize("way", ["compute", "persist", "array", "persisted array", "submit"])
def test_every_way_to_say_it(client: Client, tmp_path: Path, way: str) -> None:
    folder = str(tmp_path)
    if way == "compute":
        assert client.compute(dask.delayed(fail_until)(folder, 1), retries=1) == "done"
    elif way == "persist":
        assert client.compute(client.persist(dask.delayed(fail_until)(folder, 1), retries=1)) == "done"
    elif "array" in way:
        x = da.ones(4, chunks=4)
        with dask.annotate(retries=1):
            once = x.map_blocks(lambda block: fail_until(folder, 1, block), dtype=float, meta=x._meta)
        assert client.compute(((client.persist(once) if "persisted" in way else once) + 1).sum()) == 8
    else:
        with dask.annotate(retries=1):
            future = client.submit(fail_until, folder, 1)
        assert future.result(timeout=60) == "done"


def test_a_call_of_a_future_says_how_often_it_ran(client: Client, tmp_path: Path) -> None:
    with dask.annotate(retries=1):
        future = client.submit(fail_until, str(tmp_path), 9)
    error = future.exception(timeout=60)
    assert isinstance(error, ValueError)
    assert isinstance(error.__cause__, TaskError)
    assert error.__cause__.attempt == 2


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_programs_is_not_tried_again(
    client: Client, tmp_path: Path, runs: Callable[[], int], kind: type[BaseException]
) -> None:
    def leave(folder: str) -> None:
        (Path(folder) / f"run-{len(os.listdir(folder))}").touch()
        raise kind

    with pytest.raises(TaskError, match=kind.__name__):
        client.get({"a": (leave, str(tmp_path))}, "a", retries=3)
    assert runs() == 1


def test_runs_that_raised_are_no_progress(client: Client, tmp_path: Path) -> None:
    job = client.submit_graph({"a": (fail_until, str(tmp_path), 10**6), "b": (str.upper, "a")}, "b", retries=10**6)
    assert next(event for event in job.events() if isinstance(event, Retried) and event.attempt == 3)
    report = job.report()
    job.cancel()
    assert (report.tasks, report.tasks_run, report.tasks_run_again) == (2, 0, 0)


def test_a_task_that_rests_between_two_runs_is_cancelled(
    client: Client, tmp_path: Path, runs: Callable[[], int]
) -> None:
    job = client.submit_graph({"a": (fail_until, str(tmp_path), 10**6)}, "a", retries=10**6)
    while runs() < 3:
        time.sleep(0.01)
    job.cancel()
    with pytest.raises(JobCancelled):
        job.result(timeout=10)
    assert client.get({"free": (int, "7")}, "free") == 7


@pytest.fixture
def stub(cluster: LocalCluster) -> Iterator[scheduler_pb2_grpc.SchedulerStub]:
    with channel(cluster.address, cluster.token) as connection:
        yield scheduler_pb2_grpc.SchedulerStub(connection)


def test_calls_by_name_have_retries_of_their_own(stub: scheduler_pb2_grpc.SchedulerStub) -> None:
    """A call that raises in every run tells by its error how often it ran."""
    call = graph_pb2.Call(function="operator:truediv")
    call.args.extend([1, 0])
    task = graph_pb2.Task(id="a", call=call, options=graph_pb2.TaskOptions(retries=1))
    options = job_pb2.JobOptions(retries=5)
    stub.SubmitJob(scheduler_pb2.SubmitJobRequest(job_id="retried-1", tasks=[task], targets=["a"], options=options))
    events = list(stub.WatchJob(scheduler_pb2.WatchJobRequest(job_id="retried-1")))
    assert [(e.retried.attempt, e.retried.message) for e in events if e.HasField("retried")] == [
        (1, "ZeroDivisionError: division by zero")
    ]
    assert events[-1].state.job.error.task.attempt == 2
    stub.ReleaseJob(job_pb2.JobRef(job_id="retried-1"))
