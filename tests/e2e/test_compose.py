"""The system in containers, used from the host as a user does."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dask
import dask.array as da
import docker
import numpy as np
import pytest

from wukong import Client
from wukong.errors import AccessDenied, ExecutorLost

sys.path.insert(0, str(Path(__file__).parent))
from cluster import MEMORY_MB, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture(scope="module")
def cluster(engine: docker.DockerClient) -> Iterator[Cluster]:
    started = Cluster(engine)
    try:
        started.up()
        yield started
    except BaseException:
        print(started.logs())
        raise
    finally:
        started.down()
        assert started.left() == []


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Client]:
    with cluster.client() as connected:
        yield connected


def test_a_graph_runs_as_dask_runs_it(client: Client) -> None:
    x = da.arange(1_000_000, chunks=100_000)
    graph = ((x * 2 + 1) % 7).sum()
    assert graph.compute(scheduler=client.get) == graph.compute(scheduler="synchronous")


def test_large_inputs_and_results_go_through_the_proxy(client: Client) -> None:
    values = np.arange(2_000_000.0)
    doubled = (da.from_array(values, chunks=500_000) * 2).compute(scheduler=client.get)
    np.testing.assert_array_equal(doubled, values * 2)


def test_the_cluster_says_what_its_executors_have(client: Client) -> None:
    info = client.info()
    assert info["kvs_nodes"] == 2
    assert info["packages"]["dask"] == dask.__version__
    assert info["packages"].keys() >= {"numpy", "scipy", "pandas"}


def test_a_wrong_token_is_refused(cluster: Cluster) -> None:
    with pytest.raises(AccessDenied, match="the token is wrong"):
        Client(f"127.0.0.1:{cluster.ports[0]}", token="wrong")


def test_nothing_but_two_ports_is_published_and_those_on_loopback(cluster: Cluster) -> None:
    published = {}
    for container in cluster.containers():
        for mappings in container.ports.values():
            for mapping in mappings or ():
                published[int(mapping["HostPort"])] = mapping["HostIp"]
    assert published == dict.fromkeys(cluster.ports, "127.0.0.1")


def test_no_secret_is_in_what_docker_shows(cluster: Cluster) -> None:
    token = cluster.compose("exec", "-T", "scheduler", "cat", "/run/wukong/token").strip()
    for container in [*cluster.containers(), *cluster.environments()]:
        assert token not in str(container.attrs)


def inside() -> tuple[int, str, str, int]:
    import os

    try:
        Path("/opt/written").write_text("")
    except OSError as error:
        written = os.strerror(error.errno or 0)
    status = Path("/proc/self/status").read_text()
    temporary = os.statvfs("/tmp")
    return os.getuid(), status.partition("CapEff:")[2].split()[0], written, temporary.f_blocks * temporary.f_frsize


def test_environments_are_containers_with_the_memory_of_the_function_and_no_rights(
    cluster: Cluster, client: Client
) -> None:
    assert client.submit(inside).result(timeout=120) == (
        10001,
        "0" * 16,
        "Read-only file system",
        512 << 20,
    )
    environments = cluster.environments()
    assert environments
    for environment in environments:
        host = environment.attrs["HostConfig"]
        assert (host["Memory"], host["MemorySwap"]) == (MEMORY_MB << 20, MEMORY_MB << 20)
        assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"])


def too_much() -> int:
    held = [np.ones(4_000_000) for _ in range(100)]
    return len(held)


def test_an_executor_without_memory_is_told_as_lambda_tells_it(client: Client) -> None:
    with pytest.raises(ExecutorLost, match="out of memory"):
        client.submit(too_much).result(timeout=300)


def test_nodes_come_and_go_between_jobs(cluster: Cluster) -> None:
    for nodes in (5, 2):
        cluster.up("--scale", f"kvs-node={nodes}")
        with cluster.client() as client:
            until(lambda client=client, nodes=nodes: client.info()["kvs_nodes"] == nodes)  # type: ignore[misc]
            test_large_inputs_and_results_go_through_the_proxy(client)


def test_what_a_killed_emulator_left_is_removed_by_the_next_one(cluster: Cluster) -> None:
    (emulator,) = cluster.containers("lambda-emulator")
    until(lambda: cluster.environments())
    left = {environment.id for environment in cluster.environments()}
    emulator.kill()
    cluster.up()
    until(lambda: not left & {environment.id for environment in cluster.environments()})
    with cluster.client() as client:
        test_a_graph_runs_as_dask_runs_it(client)


@pytest.mark.parametrize("service", ["scheduler", "lambda-emulator", "kvs-node", "kvs-proxy", "mds"])
def test_services_end_in_time(cluster: Cluster, service: str) -> None:
    started = time.monotonic()
    for container in cluster.containers(service):
        container.stop(timeout=20)
        container.reload()
        assert container.attrs["State"]["ExitCode"] in (0, 143), service
    assert time.monotonic() - started < 10 if service == "kvs-node" else 5
    cluster.up()


def test_down_leaves_nothing_even_after_a_crash(engine: docker.DockerClient) -> None:
    other = Cluster(engine)
    try:
        other.up()
        until(lambda: other.environments())
        other.containers("lambda-emulator")[0].kill()
    finally:
        other.down()
    assert other.left() == []
    assert other.environments() == []
