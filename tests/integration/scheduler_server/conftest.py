"""A store for all tests, and a scheduler for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.scheduler_server.stage import PASSWORD, Lambda, Stage

from wukong.cluster.valkey import ValkeyServer
from wukong.redis.connection import Connection


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    # The server dies with the thread that started it, so this is no fixture for other threads.
    with ValkeyServer(Path(tmp_path_factory.mktemp("store")), "store", password=PASSWORD) as server:
        yield server.address


@pytest.fixture
def stage(store: str) -> Iterator[Stage]:
    connection = Connection(store, password=PASSWORD)
    connection.call("FLUSHALL")
    connection.close()
    endpoint = Lambda()
    stage = Stage(store, endpoint)
    stage.start()
    yield stage
    stage.stop()
    stage.mds.close_connections()
    endpoint.close()
