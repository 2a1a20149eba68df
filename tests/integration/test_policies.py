"""Each policy on a real cluster: counts on graphs whose counts are known, and who decides about the policy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from operator import add
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from tests.integration.conftest import cluster_where_large_begins_at
from tests.integration.test_random_graphs import left_behind, stores_of
from tests.waiting import until

from wukong import Client, InvalidGraph, LocalCluster, TaskError
from wukong.client.connection import Connection
from wukong.client.report import Report
from wukong.rpc.v1 import job_pb2, scheduler_pb2

#: Bytes from which a value is large in these tests.
LARGE = 100_000


@pytest.fixture(scope="module")
def small_large() -> Iterator[LocalCluster]:
    """A cluster where little is large, and every job is stateless that does not say otherwise."""
    with cluster_where_large_begins_at(LARGE, environments=2, policy="stateless") as cluster:
        yield cluster


@pytest.fixture
def here(small_large: LocalCluster) -> Iterator[Client]:
    with contextlib.closing(Client(small_large)) as client:
        yield client


def increment(value: Any) -> Any:
    return value + 1


def total(*values: Any) -> Any:
    return sum(np.sum(value) for value in values)


def held(gate: Path, function: Callable[..., Any], *values: Any) -> Any:
    """The function's value, once the gate is open."""
    gate.with_suffix(".reached").touch()
    until(gate.exists)
    return function(*values)


@contextlib.contextmanager
def reached(gate: Path) -> Iterator[None]:
    """A block in which a task stands before its gate, which is open afterwards."""
    try:
        until(gate.with_suffix(".reached").exists)
        yield
    finally:
        gate.touch()


def chain(length: int) -> dict[Any, Any]:
    return {"c0": (increment, 0)} | {f"c{i}": (increment, f"c{i - 1}") for i in range(1, length)}


def tree(leaves: int) -> tuple[dict[Any, Any], Any]:
    level: list[Any] = [("leaf", i) for i in range(leaves)]
    graph: dict[Any, Any] = {key: (increment, key[1]) for key in level}
    while len(level) > 1:
        parents = [("node", len(level), i) for i in range(len(level) // 2)]
        graph |= {key: (add, level[2 * i], level[2 * i + 1]) for i, key in enumerate(parents)}
        level = parents
    return graph, level[0]


def fan_out(width: int, source: Any) -> dict[Any, Any]:
    return {"source": source} | {("part", i): (total, "source", i) for i in range(width)}


def run(client: Client, graph: dict[Any, Any], keys: Any, **options: Any) -> Report:
    expected = dask.get(graph, keys)
    assert client.get(graph, keys, **options) == expected
    report = client.report()
    assert report.tasks_run == report.tasks == len(graph)
    return report


def test_the_published_policy_invokes_an_executor_for_each_leaf_and_each_further_child(here: Client) -> None:
    policy = {"policy": "wukong2020"}
    report = run(here, chain(12), "c11", **policy)
    assert (report.executors, report.invocations) == (1, 1)
    graph, root = tree(16)
    report = run(here, graph, root, **policy)
    assert (report.executors, report.invocations) == (16, 16)
    graph = fan_out(9, (increment, 0))
    report = run(here, graph, [("part", i) for i in range(9)], **policy)
    assert (report.executors, report.invocations) == (9, 9)


def test_the_children_of_a_large_output_run_where_it_is_and_it_is_never_written(here: Client) -> None:
    large = fan_out(9, (np.ones, LARGE // 8))
    large["sum"] = (total, *[("part", i) for i in range(9)])
    report = run(here, large, "sum", policy="wukong2020")
    assert (report.executors, report.invocations) == (1, 1)
    assert report.bytes_written < LARGE
    small = fan_out(9, (np.ones, LARGE // 8 - 100))
    small["sum"] = large["sum"]
    report = run(here, small, "sum", policy="wukong2020")
    assert (report.executors, report.invocations) == (9, 9)
    assert report.bytes_written > LARGE - 800


def test_without_clustering_the_children_of_a_large_output_are_given_away(here: Client) -> None:
    graph = fan_out(9, (np.ones, LARGE // 8))
    report = run(here, graph, [("part", i) for i in range(9)], policy="wukong2020 without clustering")
    assert (report.executors, report.invocations) == (9, 9)
    assert report.bytes_written > LARGE


@pytest.mark.parametrize(
    ("lacks", "least", "most"),
    [
        ("local-fan-in", 0, LARGE),
        ("delayed-io", 2 * LARGE, 3 * LARGE),
        ("clustering", 0, LARGE),
        ("inlining", 0, LARGE),
        ("beat", 0, LARGE),
    ],
)
def test_without_delayed_io_all_inputs_of_a_fan_in_are_written(here: Client, lacks: str, least: int, most: int) -> None:
    graph: dict[Any, Any] = {("x", i): (np.full, LARGE // 8, float(i)) for i in range(2)}
    graph["sum"] = (total, ("x", 0), ("x", 1))
    report = run(here, graph, "sum", policy=f"heartbeat without {lacks}", max_parallelism=1)
    assert least <= report.bytes_written < most


def test_of_two_large_inputs_of_a_fan_in_at_most_one_is_written(here: Client) -> None:
    graph: dict[Any, Any] = {("x", i): (np.full, LARGE // 8, float(i)) for i in range(2)}
    graph["sum"] = (total, ("x", 0), ("x", 1))
    report = run(here, graph, "sum", policy="wukong2020")
    assert (report.executors, report.invocations) == (2, 2)
    assert LARGE < report.bytes_written < 2 * LARGE


def test_without_state_there_is_an_invocation_for_each_task_and_every_value_goes_through_the_store(
    here: Client, small_large: LocalCluster, tmp_path: Path
) -> None:
    stores = stores_of(small_large)
    for graph, keys in [(chain(8), "c7"), tree(8)]:
        report = run(here, graph, keys)
        assert report.executors == report.invocations == len(graph)
    graph = {
        "x": (increment, 1),
        "y": (np.ones, 1000),
        "sum": (held, tmp_path / "sum", total, "x", "y"),
        "last": (held, tmp_path / "last", increment, "sum"),
    }
    job = here.submit_graph(graph, ["last", "x"])

    def stored() -> list[bytes]:
        names = [name for store in stores[1:] for name in store.call("KEYS", f"w:{job.id}:v:*")]
        return sorted({name.split(b":")[3] for name in names})

    with reached(tmp_path / "sum"):
        assert stored() == [b"1", b"bundle-0"]
    with reached(tmp_path / "last"):
        assert b"bundle-2" in stored()
    assert job.result() == (1003.0, 2)
    job.release()
    for store in stores:
        store.close()


def test_a_wide_fan_in_without_state_is_one_more_invocation(here: Client) -> None:
    graph: dict[Any, Any] = {("x", i): (increment, i) for i in range(300)}
    graph["sum"] = (total, *graph)
    graph["last"] = (increment, "sum")
    report = run(here, graph, "last")
    assert report.executors == report.invocations == 302


def test_what_a_task_prints_and_raises_reaches_the_user_under_every_policy(here: Client) -> None:
    for policy in ("heartbeat", "wukong2020", "stateless"):
        job = here.submit_graph({"a": (print, "hello"), "b": (print, "a is", "a")}, "b", policy=policy)
        job.result()
        assert (job.logs("a"), job.logs("b")) == ("hello\n", "a is None\n")
        with pytest.raises(ZeroDivisionError) as caught:
            here.get({"a": (increment, 0), "b": (divmod, "a", 0)}, "b", policy=policy)
        assert isinstance(caught.value.__cause__, TaskError)


@pytest.mark.parametrize("policy", ["wukong2020", "stateless"])
def test_a_bound_of_the_user_holds_and_what_finds_no_room_runs_where_it_is(here: Client, policy: str) -> None:
    graph, root = tree(16)
    graph |= fan_out(8, (increment, root))
    report = run(here, graph, [("part", i) for i in range(8)], policy=policy, max_parallelism=1)
    assert (report.executors, report.invocations) == (1, 1)
    report = run(here, graph, [("part", i) for i in range(8)], policy=policy, max_parallelism=3)
    assert 3 <= report.executors == report.invocations <= len(graph)


@pytest.mark.parametrize("policy", ["wukong2020", "stateless"])
def test_a_decomposition_equals_numpys(here: Client, policy: str) -> None:
    x = da.random.default_rng(7).random((2000, 8), chunks=(250, 8))
    _, r = da.linalg.tsqr(x)
    found = r.compute(scheduler=here.get, policy=policy)
    np.testing.assert_allclose(found.T @ found, (x.T @ x).compute(scheduler="synchronous"))


def test_the_cluster_has_a_policy_and_each_job_may_have_another(here: Client) -> None:
    assert run(here, chain(3), "c2").invocations == 3
    assert run(here, chain(3), "c2", policy="heartbeat").invocations == 1
    x = da.ones(4, chunks=1).sum()
    assert here.compute(x, policy="heartbeat") == 4
    assert here.report().invocations == 1


def test_a_policy_that_does_not_exist_is_refused_with_those_that_do(here: Client) -> None:
    for start in (here.get, here.submit_graph):
        with pytest.raises(InvalidGraph, match=r"no policy 'pywren'.*'heartbeat', 'wukong2020', 'stateless'"):
            start(chain(1), "c0", policy="pywren")
    assert here.jobs() == []


def test_clients_in_other_languages_choose_and_are_refused_alike(small_large: LocalCluster) -> None:
    connection = Connection(small_large.address, small_large.token, 10)
    request = scheduler_pb2.SubmitJobRequest(job_id="calls", targets=["b"])
    for name, needed in (("a", 4.0), ("b", {"$task": "a"})):
        task = request.tasks.add(id=name)
        task.call.function = "math:sqrt"
        task.call.args.extend([needed])  # type: ignore[list-item]
    request.options.policy = "pywren"
    with pytest.raises(InvalidGraph, match="no policy 'pywren'"):
        connection.call(connection.scheduler.SubmitJob, request)
    for policy, invocations in (("wukong2020", 1), ("stateless", 2), ("heartbeat", 1)):
        request.job_id = f"calls-{policy}"
        request.options.policy = policy
        connection.call(connection.scheduler.SubmitJob, request)
        ref = job_pb2.JobRef(job_id=request.job_id)
        with Client(small_large) as client:
            client.job(request.job_id).wait(30)
        job = connection.call(connection.scheduler.GetJob, ref)
        assert job.results[0].json.number_value == pytest.approx(2**0.5)
        assert (job.report.tasks_run, job.report.invocations) == (2, invocations)
        connection.call(connection.scheduler.ReleaseJob, ref)
    connection.close()


def test_nothing_is_left_behind(small_large: LocalCluster, here: Client) -> None:
    graph, root = tree(8)
    for policy in ("wukong2020", "stateless"):
        here.get(graph, root, policy=policy)
    here.close()
    stores = stores_of(small_large)
    assert not left_behind(stores)
    for store in stores:
        store.close()
