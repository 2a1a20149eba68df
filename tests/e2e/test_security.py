"""Compose under mutual TLS: clients, executors and nodes are served, others are not; a task sees and reaches little."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import numpy as np
import pytest

from wukong import Client
from wukong.errors import TlsFailed

sys.path.insert(0, str(Path(__file__).parent))
from tests.e2e.cluster import Cluster, running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

FILES = {"ca_file": "ca.pem", "certificate_file": "client.pem", "key_file": "client-key.pem"}


@pytest.fixture(scope="module")
def secured(engine: docker.DockerClient) -> Iterator[Cluster]:
    with running(engine, WUKONG_TLS="1", WUKONG_MUTUAL_TLS="1") as started:
        yield started


@pytest.fixture(scope="module")
def files(secured: Cluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("client")
    for name in FILES.values():
        (folder / name).write_text(secured.compose("exec", "-T", "scheduler", "cat", f"/run/wukong/{name}"))
    return {argument: str(folder / name) for argument, name in FILES.items()}


def seen() -> list[str]:
    return sorted(path.name for path in Path("/run/wukong").iterdir())


def tried() -> list[str]:
    """What the store answers an executor that tries what is not its work."""
    from wukong.redis import Connection, ReplyError

    password = Path("/run/wukong/store-password").read_text()
    store = Connection("mds:6379", user="executor", password=password)
    found = []
    for command in (("KEYS", "*"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("SET", "w:ring", "x"), ("GET", "w:up:0")):
        try:
            found.append(str(store.call(*command)))
        except ReplyError as error:
            found.append(error.code)
    store.close()
    return found


def test_jobs_run_and_values_go_both_ways(secured: Cluster, files: dict[str, str]) -> None:
    with secured.client(**files) as client:
        assert client.get({"x": (sum, [1, 2, 3])}, "x") == 6
        values: Any = client.get({"up": np.arange(400_000.0), "down": (np.negative, "up")}, "down")
        np.testing.assert_array_equal(values, -np.arange(400_000.0))
        wide: dict[Any, Any] = {("w", i): (np.sum, "root") for i in range(60)}
        assert client.get({"root": (np.ones, 50_000), **wide, "all": (sum, list(wide))}, "all") == 3_000_000


def test_callers_without_tls_or_without_a_certificate_are_told_so(secured: Cluster, files: dict[str, str]) -> None:
    with pytest.raises(TlsFailed, match="speaks TLS, and this caller does not"):
        secured.client()
    with pytest.raises(TlsFailed, match="demands a certificate of its callers"):
        secured.client(ca_file=files["ca_file"])
    with pytest.raises(TlsFailed, match="speaks TLS"):
        Client(f"127.0.0.1:{secured.ports[1]}", token="t", timeout=5)


def test_a_task_sees_the_secrets_of_executors_only_and_may_do_only_their_work(
    secured: Cluster, files: dict[str, str]
) -> None:
    with secured.client(**files) as client:
        names, answers = client.get({"names": (seen,), "answers": (tried,)}, ["names", "answers"])
    assert names == ["ca.pem", "client-key.pem", "client.pem", "signing-key", "store-password", "token"]
    assert answers == ["NOPERM"] * 5
