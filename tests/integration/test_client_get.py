"""What `get`, `compute` and `persist` return, on a real cluster, compared with Dask's own schedulers."""

from __future__ import annotations

import functools
import threading
from operator import add, mul
from typing import Any

import dask
import dask.array as da
import dask.bag as db
import numpy as np
import pytest
from dask._task_spec import Alias, DataNode, Task

from wukong import Client, InvalidGraph, LocalCluster, WukongError

GRAPH = {"a": 1, "b": (add, "a", 2), ("c", 0): (mul, "b", "b"), ("c", 1): None, "d": [("c", 0), "a", ["b"]]}


@pytest.mark.parametrize(
    "keys",
    [
        "a",
        ("c", 0),
        ["b"],
        ["a", "b", "a"],
        [["a", ("c", 0)], [("c", 1)]],
        [["a", ["b", [("c", 0)]]], "d"],
        "d",
    ],
)
def test_values_have_the_shape_of_their_keys(client: Client, keys: Any) -> None:
    found = client.get(GRAPH, keys)
    assert found == dask.get(GRAPH, keys)
    assert type(found) is type(dask.get(GRAPH, keys))


def test_todays_task_objects_run(client: Client) -> None:
    graph = {"a": DataNode("a", 5), "b": Alias("b", "a"), "c": Task("c", add, Alias("b", "b"), 1), "d": Alias("d", "c")}
    assert client.get(graph, ["d", "b"]) == (6, 5)


def test_collections_compute_to_what_dask_computes(client: Client) -> None:
    x = da.arange(1000, chunks=100)
    bag = db.from_sequence(range(100), npartitions=7)
    collections = ((x**2).sum(), x[::3], bag.map(lambda i: i % 7).frequencies(), dask.delayed(sorted)([3, 1, 2]))
    found = dask.compute(*collections, scheduler=client.get)
    expected = dask.compute(*collections, scheduler="synchronous")
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_compute_and_persist_of_one_give_one_and_of_several_a_tuple(client: Client) -> None:
    x = da.ones((20, 20), chunks=5)
    assert client.compute(x.sum()) == 400
    assert client.compute(x.sum(), x.mean()) == (400, 1)
    persisted = client.persist(x + 1)
    assert isinstance(persisted, da.Array)
    assert len(dict(persisted.__dask_graph__())) == 16
    assert client.compute(persisted.sum()) == 800
    (by_dask,) = dask.persist(x + 1, scheduler=client.get)
    assert len(dict(by_dask.__dask_graph__())) == 16
    assert client.compute(x.persist(scheduler=client.get).sum()) == 400
    both = client.persist(x + 1, x + 2)
    assert isinstance(both, tuple)
    assert client.compute(*(one.sum() for one in both)) == (800, 1200)


def test_arrays_come_back_as_arrays_that_can_be_written_to(client: Client) -> None:
    large = client.get({"x": (np.arange, 1_000_000)}, "x")
    np.testing.assert_array_equal(large, np.arange(1_000_000))
    large[0] = 5
    assert large[0] == 5


def test_a_graph_of_large_pages_is_uploaded_before_its_job(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = client._connection.scheduler
    upload = scheduler.UploadPages
    sent = []

    def count(pages: Any, **options: Any) -> Any:
        sent.append(1)
        return upload(pages, **options)

    monkeypatch.setattr(scheduler, "UploadPages", count)
    graph: dict[str, Any] = {f"x{i}": (len, bytes([i]) * 40_000) for i in range(250)}
    graph["sum"] = (sum, list(graph))
    for _ in range(2):
        assert client.get(graph, "sum") == 250 * 40_000
    # The second time the scheduler has the pages.
    assert len(sent) == 1


def test_inside_with_the_client_is_dasks_default_scheduler(cluster: LocalCluster) -> None:
    before = dask.config.get("scheduler", None)
    with Client(cluster) as client:
        assert da.ones(100, chunks=10).sum().compute() == 100
        assert client.report().tasks > 10
        assert dask.config.get("scheduler") == client.get
    assert dask.config.get("scheduler", None) == before


def test_a_client_may_be_given_as_the_scheduler_itself(client: Client) -> None:
    assert da.ones(100, chunks=10).sum().compute(scheduler=client) == 100


def test_options_of_dask_and_of_wukong_are_taken(client: Client) -> None:
    total = da.ones(100, chunks=10).sum()
    assert total.compute(scheduler=client.get, num_workers=3, deadline=60.0, max_parallelism=1) == 100
    assert client.report().executors == 1
    with pytest.raises(InvalidGraph, match="deadline"):
        total.compute(scheduler=client.get, deadline=-1.0)
    assert total.compute(scheduler=client.get, num_workers=4, optimize_graph=False, priority=1) == 100
    assert client.compute({"total": total}, traverse=True, optimize_graph=False) == {"total": 100}


def test_a_misspelt_option_is_refused_at_every_door(client: Client) -> None:
    total = da.ones(100, chunks=10).sum()
    before = {job for job, _ in client.jobs()}
    misspelt: Any = {"dead_line": 60.0}
    for way in (
        functools.partial(client.compute, total),
        functools.partial(client.persist, total),
        functools.partial(client.get, {"a": 1}, "a"),
        functools.partial(client.submit_graph, {"a": 1}, "a"),
        functools.partial(total.compute, scheduler=client.get),
        functools.partial(total.persist, scheduler=client.get),
    ):
        with pytest.raises(TypeError, match=r"'dead_line' is no option .* did you mean 'deadline'\?"):
            way(**misspelt)
    assert {job for job, _ in client.jobs()} <= before


def test_many_threads_may_use_one_client(client: Client) -> None:
    found: dict[int, Any] = {}

    def compute(number: int) -> None:
        x = da.full((50, 50), number, chunks=10)
        found[number] = [client.compute((x + extra).sum()) for extra in range(3)]

    threads = [threading.Thread(target=compute, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [2500 * (number + extra) for extra in range(3)] for number in range(8)}


def test_the_report_tells_what_the_last_job_did(cluster: LocalCluster) -> None:
    client = Client(cluster)
    with pytest.raises(WukongError, match="nothing to report"):
        client.report()
    client.get({"a": (abs, -1), "b": (add, "a", 1), "unneeded": (abs, -2)}, "b")
    report = client.report()
    assert (report.tasks, report.tasks_run, report.executors, report.invocations) == (2, 2, 1, 1)
    assert report.wall > 0
    assert "2 runs of 2 tasks" in str(report)
    client.close()


def test_info_tells_of_the_cluster_without_its_secrets(client: Client, cluster: LocalCluster) -> None:
    info = client.info()
    assert info["address"] == cluster.address
    assert info["parallelism"] == 2
    assert info["packages"]["dask"] == dask.__version__
    assert cluster.token not in str(info)


def test_jobs_are_forgotten_when_their_values_are_read(client: Client) -> None:
    client.get({"a": 1}, "a")
    names = [name for name, _ in client.jobs()]
    client.get({"a": 1}, "a")
    assert len({name for name, state in client.jobs() if state == "done"} - set(names)) <= 1


def test_a_closed_client_says_so(cluster: LocalCluster) -> None:
    client = Client(cluster)
    client.close()
    client.close()
    assert repr(client) == f"<Client of {cluster.address}, closed>"
    for use in (lambda: client.get({"a": 1}, "a"), client.jobs, client.info, client.__enter__):
        with pytest.raises(WukongError, match="this client is closed"):
            use()
