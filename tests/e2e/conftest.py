"""What the tests on real containers share."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest
from tests.e2e.cluster import Cluster, running

from wukong import Client


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """The Docker engine of this machine."""
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="module")
def cluster(engine: docker.DockerClient) -> Iterator[Cluster]:
    """A cluster for the tests of one module; each leaves it whole."""
    with running(engine) as started:
        yield started


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Client]:
    """A client of it."""
    with cluster.client() as connected:
        yield connected
