"""KVS nodes lose results after their job is done, before or while they are read: they are computed again."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from tests.integration.test_lost_values import held, reached, until

from wukong import Client, Job, LocalCluster
from wukong.client import results
from wukong.client.connection import Connection
from wukong.errors import InputLost, JobCancelled, ResultMissing, WukongError
from wukong.rpc.v1 import job_pb2, scheduler_pb2

#: More than a result's mark holds.
LENGTH = 40_000
GRAPH: dict[str, Any] = {"one": (abs, -1), "x": (np.full, LENGTH, "one"), "y": (np.negative, "x"), "z": (np.sum, "y")}
KEYS = ["y", "x", "z"]


def right(found: Any) -> bool:
    expected = dask.get(GRAPH, KEYS)
    return all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(environments=2, kvs_nodes=2, lease_seconds=2) as cluster:
        yield cluster


@pytest.fixture(params=["stores", "proxy"])
def client(cluster: LocalCluster, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client that reads results from the stores, and one that reads them by way of the proxy."""
    with Client(cluster) as client:
        if request.param == "proxy":
            client._session.stores = None
        yield client


@pytest.fixture
def lose(client: Client) -> Iterator[Callable[[], None]]:
    """Has all nodes lose what they have."""
    with reached(client) as nodes:

        def lose() -> None:
            for node in nodes:
                node.call("FLUSHALL")

        yield lose


def test_a_result_is_computed_again_where_its_node_died_after_the_end(cluster: LocalCluster) -> None:
    with Client(cluster) as client:
        job = client.submit_graph(GRAPH, KEYS)
        assert job.wait(60)
        assert job.report().healed == 0
        with reached(client) as nodes:
            there = held(nodes, job.id)
        _, *stores = [pid for role, pid in cluster.processes() if role == "store"]
        os.kill(stores[there.index(max(there))], signal.SIGKILL)
        assert right(job.result())
        assert job.state == "done"
        assert job.report().healed >= 1
        assert client.report() == job.report()
        # And once it is there, it is there.
        healed = job.report().healed
        assert right(job.result())
        assert job.report().healed == healed
        states = [event.state for event in job.events() if hasattr(event, "state")]
        assert states == ["running", "running", "done"]


def test_get_computes_again_what_is_lost_before_it_is_read(
    client: Client, lose: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = results.read
    times = []

    def read(*args: Any) -> results.Read:
        times.append(args)
        if len(times) <= 2:
            lose()
        return reading(*args)

    monkeypatch.setattr(results, "read", read)
    assert right(client.get(GRAPH, KEYS))
    assert len(times) == 3
    assert client.report().healed >= 2


def test_a_result_that_is_lost_each_time_is_named_at_last(
    client: Client, lose: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = results.read
    times = []

    def read(*args: Any) -> results.Read:
        times.append(args)
        lose()
        return reading(*args)

    monkeypatch.setattr(results, "read", read)
    job = client.submit_graph({"x": (np.full, LENGTH, 1.0)}, "x")
    with pytest.raises(ResultMissing, match=r"the result of task 0 of job .* is not in the KVS") as caught:
        job.result()
    assert (caught.value.job, caught.value.task) == (job.id, 0)
    assert len(times) == 6


def test_a_node_that_is_lost_in_the_middle_of_a_download_costs_only_time(
    cluster: LocalCluster, lose: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = {"x": (np.arange, 3_000_000)}
    with Client(cluster) as client:
        client._session.stores = None
        job = client.submit_graph(graph, "x")
        assert job.wait(60)
        asked = client._connection.data.GetResult
        streams = 0

        def broken(request: Any) -> Any:
            nonlocal streams
            streams += 1
            stream = asked(request)
            if streams == 1:
                yield from (next(stream) for _ in range(3))
                lose()
            yield from stream

        monkeypatch.setattr(Connection, "data", property(lambda _: SimpleNamespace(GetResult=broken)))
        found = job.result()
        assert np.array_equal(found, np.arange(3_000_000))
        assert job.report().healed == 1


def test_several_who_miss_it_have_it_computed_once(client: Client, lose: Callable[[], None]) -> None:
    job = client.submit_graph({"x": (np.full, LENGTH, 1.0)}, "x")
    assert job.wait(60)
    lose()
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(job.result())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 4
    assert all(np.array_equal(one, np.ones(LENGTH)) for one in found)
    assert job.report().healed == 1


def test_futures_and_persisted_collections_are_read_again(client: Client, lose: Callable[[], None]) -> None:
    futures = client.map(np.full, [LENGTH] * 3, [1.0, 2.0, 3.0])
    client.gather(futures)
    kept = client.persist(da.arange(2 * LENGTH, chunks=LENGTH))
    (first,) = dask.compute(kept.blocks[0], scheduler=client.get)
    lose()
    assert [value[0] for value in client.gather(futures)] == [1.0, 2.0, 3.0]
    assert np.array_equal(futures[1].result(), np.full(LENGTH, 2.0))
    (node,) = [task for key, task in kept.__dask_graph__().items() if key[-1] == 1]
    assert np.array_equal(node.args[0].value(), np.arange(LENGTH, 2 * LENGTH))
    assert np.array_equal(first, np.arange(LENGTH))


def test_a_job_that_is_released_meanwhile_ends_with_a_clear_error(client: Client, lose: Callable[[], None]) -> None:
    job = client.submit_graph({"x": (np.full, LENGTH, 1.0)}, "x")
    assert job.wait(60)
    with Client(client._connection.address, token=client._connection._token) as other:
        other.job(job.id).release()
        until(lambda: client._connection.call(_get(client), job_pb2.JobRef(job_id=job.id)).state == GONE)
        with pytest.raises(WukongError, match=r"gone|released"):
            job.result()


GONE = job_pb2.JOB_STATE_GONE


def _get(client: Client) -> Any:
    return client._connection.scheduler.GetJob


def test_a_job_that_is_released_while_it_runs_again_ends_with_a_clear_error(
    client: Client, lose: Callable[[], None], tmp_path: Any
) -> None:
    (go := tmp_path / "go").touch()

    def slow() -> Any:
        (tmp_path / f"ran-{time.monotonic_ns()}").touch()
        until(go.exists)
        return np.ones(LENGTH)

    job = client.submit_graph({"x": (slow,)}, "x")
    assert job.wait(60)
    lose()
    go.unlink()
    errors: list[BaseException] = []

    def read() -> None:
        try:
            job.result()
        except BaseException as error:
            errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    until(lambda: len(list(tmp_path.iterdir())) == 2)
    with Client(client._connection.address, token=client._connection._token) as other:
        assert other.job(job.id).state == "running"
        other.job(job.id).release()
        reader.join(60)
    assert isinstance(errors[0], JobCancelled)


def test_an_uploaded_input_that_is_lost_too_is_named(client: Client, lose: Callable[[], None]) -> None:
    job = client.submit_graph({"data": np.arange(1_000_000), "x": (np.negative, "data")}, "x")
    assert job.wait(60)
    lose()
    with pytest.raises(InputLost, match="data"):
        job.result()


def restore(client: Client, job: Job, task: int, mark_hash: str) -> job_pb2.Job:
    missing = [scheduler_pb2.MissingResult(task=task, mark_hash=mark_hash)]
    request = scheduler_pb2.RestoreResultsRequest(job_id=job.id, results=missing)
    return client._connection.call(client._connection.scheduler.RestoreResults, request)


def test_nothing_is_computed_again_for_a_word_that_is_not_true(client: Client) -> None:
    job = client.submit_graph(GRAPH, ["x", "one"])
    assert job.wait(60)
    assert restore(client, job, 1, "0" * 64).state == job_pb2.JOB_STATE_DONE
    assert right([*client.get(GRAPH, KEYS)])
    for task, mark_hash, why in [
        (1, "ab", "no mark's hash"),
        (1, "x" * 64, "no mark's hash"),
        (3, "0" * 64, "no target"),
        (99, "0" * 64, "no target"),
    ]:
        with pytest.raises(WukongError, match=why):
            restore(client, job, task, mark_hash)
    assert job.report().healed == 0
    assert job.state == "done"
