"""Random graphs of every shape, on a real cluster, under every policy: what Dask's synchronous scheduler returns, each
task run once, nothing left behind.

A graph is also run with every invocation delivered twice, as Lambda may do: equal, and no task lost.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import dask
import numpy as np
import pytest
from tests.integration.conftest import cluster_where_large_begins_at

from wukong import Client, LocalCluster
from wukong.client.connection import Connection as ControlConnection
from wukong.client.report import Report
from wukong.engine.policy.named import ABLATIONS
from wukong.redis import Connection
from wukong.testing.graphs import SHAPES, random_graph, same_value

GRAPHS = 200
BATCH = 20

#: Of the other policies, which invoke an executor for every few tasks; their graphs are smaller.
OTHER_GRAPHS = 100
OTHER_BATCH = 50
OTHER_TASKS = 20

#: Graphs for each policy that lacks a mechanism, of the same sizes.
ABLATED_GRAPHS = 6

#: Bytes from which an output is large here, so that some are.
LARGE = 1000


@pytest.fixture(scope="module", params=[1, 2], ids=["once", "twice"])
def own_cluster(request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    with cluster_where_large_begins_at(LARGE, environments=2, faults={"deliveries": request.param}) as cluster:
        yield cluster


def stores_of(cluster: LocalCluster) -> list[Connection]:
    """A connection to every store, for whoever may do anything there."""
    control = ControlConnection(cluster.address, cluster.token, 10)
    direct = control.cluster.direct
    control.close()
    addresses = [direct.mds_address, *(node.address for node in direct.ring.nodes)]
    user, password = cluster.administrator
    return [Connection(address, user=user, password=password) for address in addresses]


def left_behind(stores: list[Connection]) -> set[bytes]:
    """What the stores hold besides the ring and tombstones that expire by themselves."""
    found = set()
    for store in stores:
        for name in store.call("KEYS", "*"):
            tombstone = name.endswith(b":m") and store.call("HGET", name, "state") == b"gone"
            if tombstone:
                assert 0 < store.call("TTL", name) <= 24 * 3600
            elif not name.startswith(b"w:ring"):
                found.add(name)
    return found


def run_and_compare(
    client: Client, dsk: dict[Any, Any], asked: Any, exactly_once: bool, policy: str = "heartbeat"
) -> Report:
    expected = dask.get(dsk, asked)
    assert same_value(list_of(client.get(dsk, asked, policy=policy)), list_of(expected))
    report = client.report()
    assert report.tasks_run == report.tasks if exactly_once else report.tasks_run >= report.tasks
    return report


def list_of(nested: Any) -> Any:
    return [list_of(item) for item in nested] if isinstance(nested, tuple) else nested


@pytest.mark.parametrize("first", range(0, GRAPHS, BATCH))
def test_random_graphs_equal_dask(own_cluster: LocalCluster, first: int) -> None:
    with Client(own_cluster) as client:
        for seed in range(first, first + BATCH):
            dsk, asked = random_graph(seed)
            run_and_compare(client, dsk, asked, exactly_once=True)


@pytest.mark.parametrize("first", range(0, OTHER_GRAPHS, OTHER_BATCH))
@pytest.mark.parametrize("policy", ["wukong2020", "stateless"])
def test_random_graphs_equal_dask_under_other_policies(own_cluster: LocalCluster, policy: str, first: int) -> None:
    with Client(own_cluster) as client:
        for seed in range(first, first + OTHER_BATCH):
            dsk, asked = random_graph(seed, tasks=1 + seed % OTHER_TASKS)
            report = run_and_compare(client, dsk, asked, exactly_once=True, policy=policy)
            if policy == "stateless":
                assert report.invocations == report.tasks


@pytest.mark.parametrize("policy", ABLATIONS)
def test_random_graphs_equal_dask_under_policies_that_lack_a_mechanism(own_cluster: LocalCluster, policy: str) -> None:
    with Client(own_cluster) as client:
        for seed in range(ABLATED_GRAPHS):
            dsk, asked = random_graph(seed, tasks=(seed + 1) * OTHER_TASKS // ABLATED_GRAPHS)
            run_and_compare(client, dsk, asked, exactly_once=True, policy=policy)


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("policy", ["wukong2020", "stateless"])
def test_every_shape_under_other_policies(own_cluster: LocalCluster, policy: str, shape: str) -> None:
    with Client(own_cluster) as client:
        dsk, asked = random_graph(11, tasks=40, shape=shape)
        run_and_compare(client, dsk, asked, exactly_once=True, policy=policy)


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_every_shape_spread_over_executors(own_cluster: LocalCluster, shape: str) -> None:
    """Slow leaves, so that work is given away in the middle of each shape."""
    with Client(own_cluster) as client:
        dsk, asked = random_graph(7, tasks=60, shape=shape)
        slowed = {key: (slowly, task) if isinstance(task, int) else task for key, task in dsk.items()}
        run_and_compare(client, slowed, asked, exactly_once=True)


def slowly(value: Any) -> Any:
    time.sleep(0.01)
    return value


def add(*values: Any) -> Any:
    return sum(v if isinstance(v, int) else 1 for v in values)


def test_a_chain_of_20000(own_cluster: LocalCluster) -> None:
    dsk: dict[Any, Any] = {"c0": (add, 1)} | {f"c{i}": (add, f"c{i - 1}", 1) for i in range(1, 20_000)}
    with Client(own_cluster) as client:
        assert client.get(dsk, "c19999") == 20_000


def test_a_fan_in_of_5000_small_and_large_values(own_cluster: LocalCluster) -> None:
    def leaf(i: int) -> Any:
        time.sleep(0.0002)
        return np.full(200 if i % 50 == 0 else 1, i)

    def total(*parts: Any) -> int:
        return int(sum(part.sum() for part in parts))

    dsk: dict[Any, Any] = {("l", i): (leaf, i) for i in range(5000)}
    dsk["sum"] = (total, *[("l", i) for i in range(5000)])
    with Client(own_cluster) as client:
        run_and_compare(client, dsk, "sum", exactly_once=True)
        assert client.report().executors > 1


def test_persisted_inputs_and_none(own_cluster: LocalCluster) -> None:
    rng = np.random.default_rng(0)
    large = {("x", i): rng.random((100, 100)) for i in range(8)}
    dsk: dict[Any, Any] = dict(large)
    dsk |= {("n", i): (lambda x: None, ("x", i)) for i in range(8)}
    dsk["all"] = (lambda *parts: [part is None for part in parts], *[("n", i) for i in range(8)])
    dsk["sum"] = (lambda *parts: sum(part.sum() for part in parts), *large)
    with Client(own_cluster) as client:
        assert client.get(dsk, ["all", "sum", ("n", 3)]) == dask.get(dsk, ["all", "sum", ("n", 3)])


def test_nothing_is_left_but_tombstones(own_cluster: LocalCluster) -> None:
    with Client(own_cluster) as client:
        for seed in range(1000, 1020):
            dsk, asked = random_graph(seed, tasks=OTHER_TASKS)
            client.get(dsk, asked, policy=("heartbeat", "wukong2020", "stateless")[seed % 3])
        client.get({"large": np.ones((300, 300)), "sum": (np.sum, "large")}, "sum")
    stores = stores_of(own_cluster)
    deadline = time.monotonic() + 10
    while left := left_behind(stores):
        assert time.monotonic() < deadline, left
    for store in stores:
        store.close()
