"""`Job`: followed, read, cancelled and released, by the client that submitted it and by others."""

from __future__ import annotations

import concurrent.futures
import copy
import gc
import pickle
import threading
import time
from collections.abc import Iterator
from operator import add
from pathlib import Path

import pytest
from tests.waiting import until

import wukong
from wukong import Client, InvalidGraph, Job, JobCancelled, LocalCluster, TaskError, WukongError
from wukong.client.events import Printed, StateChanged
from wukong.errors import UnknownJob


def wait_for(path: str) -> str:
    """A task that lasts until a file is there."""
    print("waiting")
    while not Path(path).exists():
        time.sleep(0.01)
    return "done"


def started(path: str) -> None:
    Path(path).touch()
    time.sleep(300)


def test_clients_jobs_and_clusters_stay_in_their_process(client: Client, cluster: LocalCluster) -> None:
    job = client.submit_graph({"a": (abs, -1)}, "a")
    for one, says in (
        (client, "a Client cannot be pickled: .* tasks cannot start others"),
        (job, rf"a Job cannot be pickled: .* use client.job\('{job.id}'\)"),
        (cluster, "a LocalCluster cannot be pickled: .* pass its address and token"),
    ):
        with pytest.raises(TypeError, match=says):
            pickle.dumps(one)
    with pytest.raises(InvalidGraph, match="because it cannot be pickled: TypeError: a Client cannot be pickled"):
        client.submit(lambda: client.jobs()).result()
    assert copy.copy(client) is copy.deepcopy(client) is client


@pytest.fixture
def other(cluster: LocalCluster) -> Iterator[Client]:
    """Another client of the same cluster."""
    client = Client(cluster)
    yield client
    client.close()


def test_a_job_from_submission_to_release(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    job = client.submit_graph({"a": (wait_for, str(gate)), "b": (add, "a", "!")}, ["b", ["a"]])
    assert isinstance(job, Job)
    assert job.state == "running"
    assert not job.wait(timeout=0.05)
    with pytest.raises(TimeoutError, match=job.id):
        job.result(timeout=0.05)
    gate.touch()
    assert job.result(timeout=20) == ("done!", ("done",))
    assert job.result() == ("done!", ("done",))
    assert job.wait()
    assert job.state == "done"
    assert job.report().tasks_run == 2
    assert client.report() == job.report()
    job.release()
    job.release()
    assert job.state == "gone"
    with pytest.raises(WukongError, match="was released"):
        job.result()
    until(lambda: (job.id, "done") not in client.jobs())


def test_what_a_task_raised_is_raised_by_result_and_not_by_wait(client: Client) -> None:
    job = client.submit_graph({"a": (int, "x")}, "a")
    assert job.wait()
    assert job.state == "failed"
    with pytest.raises(ValueError, match="invalid literal") as caught:
        job.result()
    assert isinstance(caught.value.__cause__, TaskError)


def test_a_cancelled_job_stops_its_task(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "started"
    job = client.submit_graph({"a": (started, str(path))}, "a")
    until(path.exists)
    job.cancel("enough of it")
    with pytest.raises(concurrent.futures.CancelledError, match="enough of it"):
        job.result(timeout=20)
    assert job.state == "cancelled"


def test_a_job_of_another_client_is_followed_by_its_id(client: Client, other: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    mine = client.submit_graph({("x", 7): (wait_for, str(gate))}, ("x", 7))
    same = other.job(mine.id)
    assert client.job(mine.id) is mine
    assert same.state == "running"
    gate.touch()
    assert same.wait(timeout=20)
    assert same.report().tasks == 1
    assert same.logs() == "[('x', 7)] waiting\n"
    assert same.logs(("x", 7)) == same.logs("('x', 7)") == "waiting\n"
    assert same.logs(("x", 8)) == ""
    assert [event.task for event in same.events() if isinstance(event, Printed)] == ["('x', 7)"]
    with pytest.raises(WukongError, match="its id alone does not tell which keys"):
        same.result()
    del same
    gc.collect()
    assert mine.result() == "done"
    with pytest.raises(UnknownJob):
        other.job("never-was")


def test_a_job_of_another_client_can_be_cancelled(client: Client, other: Client, tmp_path: Path) -> None:
    job = client.submit_graph({"a": (started, str(tmp_path / "started"))}, "a")
    other.job(job.id).cancel("by another")
    with pytest.raises(JobCancelled, match="by another"):
        job.result(timeout=20)
    with pytest.raises(JobCancelled, match="by another"):
        other.job(job.id).result(timeout=20)


def test_events_and_logs_name_tasks_by_their_keys(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    job = client.submit_graph({("x", 7): (wait_for, str(gate)), "y": (print, ("x", 7), "there")}, "y")
    until(lambda: job.logs(("x", 7)) == "waiting\n")
    gate.touch()
    events = list(job.events())
    assert [event.state for event in events if isinstance(event, StateChanged)] == ["running", "done"]
    assert [(event.task, event.text) for event in events if isinstance(event, Printed)] == [
        (("x", 7), "waiting\n"),
        ("y", "done there\n"),
    ]
    assert job.logs() == "[('x', 7)] waiting\n[y] done there\n"
    assert job.logs("y") == "done there\n"


def test_threads_that_wait_for_one_job_print_its_output_once(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = tmp_path / "gate"
    job = client.submit_graph({"a": (wait_for, str(gate))}, "a")
    threads = [threading.Thread(target=job.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    gate.touch()
    for thread in threads:
        thread.join(20)
    assert job.wait()
    assert capsys.readouterr().out == "[a] waiting\n"


def test_a_job_goes_with_its_object_and_with_its_client(client: Client, cluster: LocalCluster) -> None:
    def known(job_id: str) -> bool:
        return any(name == job_id and state != "gone" for name, state in client.jobs())

    job = client.submit_graph({"a": 1}, "a")
    job.wait()
    name = job.id
    assert known(name)
    del job
    gc.collect()
    until(lambda: not known(name))

    with wukong.Client(cluster) as brief:
        job = brief.submit_graph({"a": 1}, "a")
    until(lambda: not known(job.id))
    with pytest.raises(WukongError, match="this client is closed"):
        job.result()
    job.release()
