"""Every container is killed, and stands still, in the middle of a job: the result is right, and the next job runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from docker.models.containers import Container
from tests.e2e import layers
from tests.e2e.cluster import Cluster
from tests.e2e.faults import address, crash, parted, paused
from tests.waiting import until

from wukong import Client, Job
from wukong.client.events import Progressed, StateChanged

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

#: Seconds that a job may take with its fault. A lease has 30.
PATIENCE = 240.0
#: Seconds for which a service stands still: more than a call of a store has, and than a node may be silent.
STILL = 12.0

SERVICES = ["scheduler", "kvs-proxy", "kvs-node/0", "kvs-node/1", "mds", "lambda-emulator", "environment"]


def part(cluster: Cluster, name: str) -> Container:
    """A container by its service; of several, by its number."""
    service, _, number = name.partition("/")
    if service == "environment":
        return cluster.environments()[0]
    return cluster.containers(service)[int(number or 0)]


@contextlib.contextmanager
def killed(cluster: Cluster, name: str) -> Iterator[None]:
    container = part(cluster, name)
    crash(cluster.engine, container)
    yield
    if name == "environment":
        assert container.id not in [one.id for one in cluster.environments()]
    else:
        until(lambda: runs_again(container))


def runs_again(container: Container) -> bool:
    """Whether the engine has started it again."""
    container.reload()
    return container.attrs["RestartCount"] > 0 and container.status == "running"


def stopped(cluster: Cluster, name: str) -> AbstractContextManager[None]:
    return paused(part(cluster, name), None if name == "environment" else STILL)


def warm(cluster: Cluster, client: Client) -> None:
    """Have two environments: one that has ended is not replaced before there is work for both."""

    def both() -> bool:
        if len(cluster.environments()) < 2:
            layers.check(client.get(layers.graph(), layers.KEYS))
        return len(cluster.environments()) == 2

    until(both)


def started(client: Client) -> Job:
    """A job, in its middle."""
    job = client.submit_graph(layers.graph(), layers.KEYS)
    for event in job.events():
        if isinstance(event, Progressed) and event.tasks_run >= layers.TASKS // 5:
            break
    assert job.state == "running"
    return job


def ended(job: Job) -> float:
    """When it was done, in Unix seconds."""
    (when,) = [event.time for event in job.events() if isinstance(event, StateChanged) and event.state == "done"]
    return when


@pytest.mark.parametrize("fault", [killed, stopped])
@pytest.mark.parametrize("name", SERVICES)
def test_a_container_fails_in_the_middle_of_a_job(
    cluster: Cluster, client: Client, name: str, fault: Callable[[Cluster, str], AbstractContextManager[None]]
) -> None:
    warm(cluster, client)
    job = started(client)
    happened = time.time()
    with fault(cluster, name):
        values = job.result(PATIENCE)
    layers.check(values)
    assert happened < ended(job)
    job.release()
    assert client.get({"next": (abs, -3)}, "next") == 3


def reaches(container: Container, far: str) -> bool:
    """Whether a store's port answers to a container."""
    program = f"import socket; socket.create_connection(({far!r}, 6379), 2).close()"
    code, _ = container.exec_run(["python", "-c", program])
    return bool(code == 0)


@pytest.mark.parametrize("number", [0, 1])
def test_an_executor_and_a_node_are_parted_in_the_middle_of_a_job(
    cluster: Cluster, client: Client, number: int
) -> None:
    warm(cluster, client)
    job = started(client)
    happened = time.time()
    one, other = cluster.environments()
    nodes = cluster.containers("kvs-node")
    far, near = address(nodes[number]), address(nodes[1 - number])
    with parted(cluster.engine, one, nodes[number]):
        assert [reaches(one, far), reaches(one, near), reaches(other, far)] == [False, True, True]
        layers.check(job.result(PATIENCE))
        assert happened < ended(job)
        job.release()
        with_it = client.submit_graph(layers.graph(), layers.KEYS)
        layers.check(with_it.result(PATIENCE))
        with_it.release()
    layers.check(client.get(layers.graph(), layers.KEYS))
