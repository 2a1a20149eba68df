"""Clusters for the integration tests: one real one for all that only run jobs, and clusters of stand-ins."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import wukong
from wukong.client.stores import addresses
from wukong.cluster import local
from wukong.cluster.plan import Plan
from wukong.redis import Connection

_STANDINS = Path(__file__).parent / "standins"
_COMPONENTS = {
    "zygote": "standin_zygote:main",
    "kvs-proxy": "standins:serve",
    "kvs-node": "standins:serve",
    "lambda-emulator": "standins:serve",
    "scheduler": "standins:serve",
}


@pytest.fixture(scope="session")
def cluster() -> Iterator[wukong.LocalCluster]:
    """One cluster for every test that leaves it as it is: jobs only, no faults."""
    with wukong.LocalCluster(environments=2) as cluster:
        yield cluster


def cluster_where_large_begins_at(large_bytes: int, **options: Any) -> wukong.LocalCluster:
    """A cluster whose executors take outputs of that many bytes for large."""

    def plan(**others: Any) -> Plan:
        return Plan(**{**others, "large_bytes": large_bytes})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "Plan", plan)
        return wukong.LocalCluster(**options)


def opened(client: wukong.Client) -> list[Connection]:
    """Connections to the stores of a client's `LocalCluster`, the metadata store first, which may do all there."""
    cluster: wukong.LocalCluster = client._connection._check.__self__  # type: ignore[attr-defined]
    user, password = cluster.administrator
    places = addresses(client._connection.cluster.direct)
    return [Connection(place.address, user=user, password=password) for place in places]


@pytest.fixture
def client(cluster: wukong.LocalCluster) -> Iterator[wukong.Client]:
    """A client of `cluster`, not set as Dask's default scheduler."""
    client = wukong.Client(cluster)
    yield client
    client.close()


@pytest.fixture
def standins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Register stand-ins in place of the real components of clusters that the test starts.

    Call it with other entry points than the defaults, by component: `standins(scheduler="standins:hang")`.
    """
    information = tmp_path / "standins-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: standins\nVersion: 1\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(_STANDINS)]))

    def register(**others: str) -> None:
        points = {**_COMPONENTS, **{name.replace("_", "-"): point for name, point in others.items()}}
        lines = [f"{name} = {point}\n" for name, point in points.items()]
        (information / "entry_points.txt").write_text("[wukong.components]\n" + "".join(lines))

    register()
    return register


@pytest.fixture
def gone() -> Iterator[Callable[[list[int]], None]]:
    """Check that processes are gone, or go within seconds. Those that do not are killed when the test ends."""
    seen: list[psutil.Process] = []

    def check(pids: list[int], seconds: float = 5.0) -> None:
        processes = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
        seen.extend(processes)
        deadline = time.monotonic() + seconds
        while left := [process for process in processes if _runs(process)]:
            assert time.monotonic() < deadline, f"still running: {left}"
            time.sleep(0.01)

    yield check
    for process in seen:
        if _runs(process):
            process.send_signal(signal.SIGKILL)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
