"""KVS nodes come and go while jobs run: a job stays on the nodes that it began with, the next one uses the new ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from tests.integration.conftest import opened
from tests.waiting import until

from wukong import Client, LocalCluster, settings
from wukong.cluster.roles import Role
from wukong.cluster.valkey import ValkeyServer
from wukong.redis import Connection

PARTS = 16
LENGTH = 20_000


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(environments=2, lease_seconds=2) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


@contextmanager
def another_node(client: Client, cluster: LocalCluster, folder: Path) -> Iterator[tuple[Connection, list[int]]]:
    """A second server with its agent, as in a container of its own: a connection to it, and both processes."""
    plan = cluster._supervisor._plan
    user, password = cluster.administrator
    users = plan.users("kvs-new")
    with ValkeyServer(folder, "kvs-new", user=user, password=password, users=users, memory_mb=64) as server:
        environ = {
            settings.TOKEN.name: cluster.token,
            settings.STORE_USER.name: Role.NODE,
            settings.STORE_PASSWORD.name: plan.store_passwords[Role.NODE],
            settings.NODE_ID.name: "kvs-new",
            settings.NODE_REDIS_ADDRESS.name: server.address,
            settings.PROXY_ADDRESS.name: client._session.connection.data_address,
        }
        command = [sys.executable, "-m", "wukong_kvs_node"]
        with subprocess.Popen(command, env={**os.environ, **environ}, stderr=subprocess.DEVNULL) as agent:
            connection = Connection(server.address, user=user, password=password)
            try:
                until(lambda: client.info()["kvs_nodes"] == 2)
                yield connection, [agent.pid, server.pid]
            finally:
                connection.close()
                agent.kill()


def names(node: Connection, job: str) -> list[bytes]:
    """The keys of a job's values on a node."""
    found = node.call("KEYS", f"*{job}:v:*")
    assert isinstance(found, list)
    return found


def gated(folder: Path) -> dict[str, Any]:
    """Large values that are stored, and used when the file `go` is there; the results are large too."""

    def gate() -> int:
        (folder / "waits").touch()
        until((folder / "go").exists)
        return 1

    def scaled(part: Any, factor: int) -> Any:
        return part * factor

    graph: dict[str, Any] = {"gate": (gate,)}
    for i in range(PARTS):
        graph[f"number-{i}"] = (abs, -i)
        graph[f"part-{i}"] = (np.full, LENGTH, f"number-{i}")
        graph[f"result-{i}"] = (scaled, f"part-{i}", "gate")
    return graph


RESULTS = [f"result-{i}" for i in range(PARTS)]


def right(values: Any) -> bool:
    return all(np.array_equal(value, np.full(LENGTH, i)) for i, value in enumerate(values))


def test_nodes_come_and_go_in_the_middle_of_jobs(cluster: LocalCluster, client: Client, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("first", "second", "third")]
    for folder in folders:
        folder.mkdir()
    old = client._session.stores
    assert old is not None
    mds, here = opened(client)
    mds.close()
    first = client.submit_graph(gated(folders[0]), RESULTS, policy="stateless")
    until(lambda: len(names(here, first.id)) == PARTS and (folders[0] / "waits").exists())
    with another_node(client, cluster, tmp_path) as (there, pids):
        limit = there.call("CONFIG", "GET", "maxmemory", "maxmemory-policy")
        assert limit == [b"maxmemory", str(64 << 20).encode(), b"maxmemory-policy", b"noeviction"]
        # The job that runs stays where it is.
        (folders[0] / "go").touch()
        assert right(first.result())
        assert there.call("DBSIZE") == 0
        assert first.report().tasks_run_again == 0
        # The next one uses both, and so does a client that was there before.
        second = client.submit_graph(gated(folders[1]), RESULTS, policy="stateless")
        until(lambda: len(names(here, second.id)) + len(names(there, second.id)) == PARTS)
        assert names(here, second.id)
        assert names(there, second.id)
        until((folders[1] / "waits").exists)
        (folders[1] / "go").touch()
        assert right(second.result())
        assert len(cast("Any", old.values.kvs).ring.nodes) == 2
        assert (second.report().tasks_run_again, second.report().healed) == (0, 0)
        data = [np.full(LENGTH, float(i)) for i in range(PARTS)]
        graph = {
            **{f"data-{i}": part for i, part in enumerate(data)},
            "sum": (sum_of, [f"data-{i}" for i in range(PARTS)]),
        }
        uploaded = client.submit_graph(graph, "sum")
        assert uploaded.result() == sum(range(PARTS))
        for node in (here, there):
            uploads = node.call("KEYS", "w:in:*:value:*")
            assert isinstance(uploads, list)
            assert uploads
        # The node goes, with all that it has, while a job uses it.
        third = client.submit_graph(gated(folders[2]), RESULTS, policy="stateless")
        until(lambda: len(names(here, third.id)) + len(names(there, third.id)) == PARTS)
        lost = len(names(there, third.id))
        until((folders[2] / "waits").exists)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        (folders[2] / "go").touch()
        assert right(third.result())
        assert third.report().healed >= lost > 0
        until(lambda: client.info()["kvs_nodes"] == 1)
        assert client.get({f"r{i}": (np.full, LENGTH, i) for i in range(PARTS)}, [f"r{i}" for i in range(PARTS)])
        assert client.get({"data": np.full(LENGTH, 7.0), "sum": (np.sum, "data")}, "sum") == 7.0 * LENGTH
        newest = old.mds.newest_ring()
        assert newest is not None
        assert [node.id for node in newest.nodes] == ["kvs-0"]
    here.close()


def sum_of(parts: list[Any]) -> float:
    return sum(float(part[0]) for part in parts)
