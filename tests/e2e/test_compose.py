"""The system in containers, used from the host as a user does."""

from __future__ import annotations

import time
from pathlib import Path

import dask
import dask.array as da
import dask.dataframe as dd
import docker
import numpy as np
import pandas as pd
import pytest
from tests.e2e.cluster import MEMORY_MB, Cluster, running
from tests.waiting import until

from wukong import Client
from wukong.errors import ExecutorLost

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_a_graph_runs_as_dask_runs_it(client: Client) -> None:
    x = da.arange(1_000_000, chunks=100_000)
    graph = ((x * 2 + 1) % 7).sum()
    assert graph.compute(scheduler=client.get) == graph.compute(scheduler="synchronous")


def test_a_dataframe_with_texts_runs_as_dask_runs_it(client: Client) -> None:
    frame = pd.DataFrame({"name": list("xyzxyzxy"), "number": range(8)})
    sums = dd.from_pandas(frame, npartitions=4).groupby("name").number.sum()
    found = sums.compute(scheduler=client.get).sort_index()
    assert found.to_dict() == {"x": 0 + 3 + 6, "y": 1 + 4 + 7, "z": 2 + 5}


def test_large_inputs_and_results_go_through_the_proxy(client: Client) -> None:
    values = np.arange(2_000_000.0)
    doubled = (da.from_array(values, chunks=500_000) * 2).compute(scheduler=client.get)
    np.testing.assert_array_equal(doubled, values * 2)


def test_the_cluster_says_what_its_executors_have(client: Client) -> None:
    info = client.info()
    assert info["kvs_nodes"] == 2
    assert info["packages"]["dask"] == dask.__version__
    assert info["packages"].keys() >= {"numpy", "scipy", "pandas", "pyarrow"}


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
    with pytest.raises(ExecutorLost, match=f"out of memory, with [0-9]+ of {MEMORY_MB} MiB in use.*larger memory_mb"):
        client.submit(too_much).result(timeout=300)


#: Seconds in which a service ends that is told to: docs/images.md. The emulator has environments to remove.
END_SECONDS = {"scheduler": 5, "kvs-proxy": 5, "kvs-node": 5, "mds": 5, "lambda-emulator": 15}


@pytest.mark.parametrize("service", END_SECONDS)
def test_services_end_in_time(cluster: Cluster, service: str) -> None:
    containers = cluster.containers(service)
    assert containers
    for container in containers:
        begun = time.monotonic()
        container.stop(timeout=30)
        took = time.monotonic() - begun
        container.reload()
        assert container.attrs["State"]["ExitCode"] in (0, 143)
        assert took < END_SECONDS[service]
    cluster.up()


def test_down_leaves_nothing_even_after_a_crash(engine: docker.DockerClient) -> None:
    with running(engine) as other:
        until(lambda: len(other.environments()) == 2)
        other.containers("lambda-emulator")[0].kill()


def test_two_clusters_do_not_meet(cluster: Cluster, client: Client, engine: docker.DockerClient) -> None:
    with running(engine) as other:
        assert other.token() != cluster.token()
        with other.client() as elsewhere:
            futures = [where.submit(abs, value) for where, value in ((client, -1), (elsewhere, -2))]
            assert [future.result(timeout=120) for future in futures] == [1, 2]
            assert [job for job, _ in elsewhere.jobs()] == [job.id for job in [futures[1].job] if job]
        names = [{one.name for one in each.containers() + each.environments()} for each in (cluster, other)]
        assert not names[0] & names[1]
        alone = {one.id for one in cluster.containers() + cluster.environments()}
    assert alone <= {one.id for one in cluster.containers() + cluster.environments()}
    assert client.submit(abs, -3).result(timeout=120) == 3
