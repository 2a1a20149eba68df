"""Nodes of the KVS with a limit of memory: writes wait for room, and a job for which there is none says so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from tests.integration.conftest import opened
from tests.waiting import until

from wukong import Client, LocalCluster, StoreFull
from wukong.cluster import local
from wukong.cluster.plan import Plan
from wukong.redis import Connection, ReplyError

MEMORY_MB = 16
#: Seconds for which executors wait for room; more than a lease.
FULL_SECONDS = 6.0
#: Bytes of one value here.
NBYTES = 1_600_000


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    def plan(**others: Any) -> Plan:
        return Plan(**{**others, "full_seconds": FULL_SECONDS})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "Plan", plan)
        cluster = LocalCluster(environments=1, kvs_memory_mb=MEMORY_MB, lease_seconds=1)
    with cluster:
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


@pytest.fixture
def node(client: Client) -> Iterator[Connection]:
    mds, connection = opened(client)
    yield connection
    for one in (mds, connection):
        one.close()


@contextmanager
def filled(node: Connection) -> Iterator[None]:
    """The node has no room, until the block ends."""
    names: list[str] = []
    for nbytes in (1_000_000, 100_000):
        with contextlib.suppress(ReplyError):
            while True:
                node.call("SET", f"filler-{len(names)}", bytes(nbytes))
                names.append(f"filler-{len(names)}")
    yield
    node.call("UNLINK", *names)


def refused(node: Connection) -> int:
    """How many writes the node has refused."""
    errors = node.call("INFO", "errorstats")
    assert isinstance(errors, bytes)
    found = [line for line in errors.decode().splitlines() if line.startswith("errorstat_OOM:count=")]
    return int(found[0].partition("=")[2]) if found else 0


def parts(count: int) -> dict[str, Any]:
    """So many large values, all of which one task needs."""
    graph: dict[str, Any] = {f"part-{i}": (np.full, NBYTES // 8, float(i)) for i in range(count)}
    graph["all"] = (lambda values: sum(float(value[0]) for value in values), [f"part-{i}" for i in range(count)])
    return graph


def test_a_job_that_does_not_fit_fails_with_the_numbers_and_the_next_one_is_served(
    client: Client, node: Connection
) -> None:
    job = client.submit_graph(parts(20), "all", policy="stateless")
    with pytest.raises(StoreFull) as caught:
        job.result()
    assert job.state == "failed"
    full = caught.value
    assert (full.node, full.address, full.maximum) == ("kvs-0", node.address, MEMORY_MB << 20)
    assert full.name in parts(20)
    assert NBYTES <= full.nbytes < NBYTES + 1000
    assert MEMORY_MB << 20 < full.value == full.stored + full.nbytes
    for words in ("kvs-0", f"{int(full.stored):,}", f"{MEMORY_MB << 20:,}", f"{int(full.nbytes):,}", "add nodes"):
        assert words in str(full)
    assert client.get(parts(4), "all", policy="stateless") == 6.0
    job.release()
    client._session.releases.settle()
    until(lambda: node.call("KEYS", "*") == [])


def test_a_write_waits_for_room_and_its_executor_keeps_its_lease(client: Client, node: Connection) -> None:
    before = refused(node)
    with filled(node):
        job = client.submit_graph(parts(4), "all", policy="stateless")
        # Two commands at each attempt; pauses of 10 ms that double to half a second: longer than the lease.
        until(lambda: refused(node) >= before + 16)
    assert job.result() == 6.0
    report = job.report()
    assert (report.tasks_run, report.tasks_run_again) == (5, 0)
    assert 4 * NBYTES <= report.peak_stored < 4 * (NBYTES + 1000)


def test_who_waits_for_room_stops_when_the_job_is_cancelled(client: Client, node: Connection) -> None:
    before = refused(node)
    with filled(node):
        job = client.submit_graph(parts(4), "all", policy="stateless")
        until(lambda: refused(node) >= before + 4)
        job.cancel()
        # There is one environment: a job is served only when it has left the other one.
        assert client.get({"x": (abs, -1)}, "x") == 1
        assert client.report().wall < FULL_SECONDS


@pytest.mark.parametrize("directly", [True, False])
def test_an_upload_to_a_full_node_says_so(
    cluster: LocalCluster, node: Connection, directly: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not directly:
        monkeypatch.setattr("wukong.client.session.reach", lambda cluster: None)
    graph = {"data": np.arange(500_000), "sum": (np.sum, "data")}
    with Client(cluster) as client:
        with filled(node), pytest.raises(StoreFull) as caught:
            client.get(graph, "sum")
        full = caught.value
        assert (full.node, full.maximum, full.name) == ("kvs-0", MEMORY_MB << 20, "an uploaded value")
        assert 4_000_000 <= full.nbytes < 4_001_000
        assert client.get(graph, "sum") == 499_999 * 250_000
