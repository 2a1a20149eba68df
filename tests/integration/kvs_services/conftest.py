"""Stores for all tests, and services for each test."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from tests.integration.kvs_services.stage import PASSWORD, STORES, Loop, Stage

from wukong.cluster.valkey import ValkeyServer


@pytest.fixture(scope="package")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("stores")
    with contextlib.ExitStack() as stack:
        servers = {name: ValkeyServer(folder, name, password=PASSWORD) for name in STORES}
        yield {name: stack.enter_context(server).address for name, server in servers.items()}


@pytest.fixture
def stage(stores: dict[str, str]) -> Iterator[Stage]:
    loop = Loop()
    try:
        with contextlib.closing(Stage(loop, stores)) as stage:
            for name in STORES:
                if name != "mds":
                    stage.redis(name, "FLUSHALL")
            yield stage
            stage.redis("mds", "FLUSHALL")
    finally:
        loop.close()
