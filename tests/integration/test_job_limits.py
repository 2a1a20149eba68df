"""What a job may take: executors at once, and time; and what it leaves in the stores when it is cancelled."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.waiting import until

from wukong import Client, DeadlineExceeded, JobCancelled, LocalCluster
from wukong.client.connection import Connection as ControlConnection
from wukong.redis import Connection

POLICIES = ["heartbeat", "wukong2020", "stateless"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(environments=4, memory_mb=512, kvs_nodes=2) as cluster:
        yield cluster


@pytest.fixture
def stores(cluster: LocalCluster) -> Iterator[Callable[[str], tuple[set[str], set[str]]]]:
    """The keys of a job in the metadata store and in the key-value store."""
    control = ControlConnection(cluster.address, cluster.token, 30)
    direct = control.cluster.direct
    addresses = [direct.mds_address, *(node.address for node in direct.ring.nodes)]
    user, password = cluster.administrator
    mds, *nodes = [Connection(address, user=user, password=password) for address in addresses]

    def keys(job: str) -> tuple[set[str], set[str]]:
        there, *values = [{key.decode() for key in one.call("KEYS", f"*{job}*")} for one in (mds, *nodes)]
        return there, set().union(*values)

    yield keys
    for connection in (mds, *nodes):
        connection.close()
    control.close()


def _watched(folder: str, number: int, *_: Any) -> int:
    """Tells how many others run."""
    running = Path(folder) / "running"
    mine = running / f"{number}-{os.getpid()}"
    mine.touch()
    with (Path(folder) / "seen").open("a") as seen:
        seen.write(f"{len(list(running.iterdir()))}\n")
    time.sleep(0.05)
    mine.unlink()
    return number


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("most", [1, 2])
def test_never_more_executors_at_once_than_asked_for(
    cluster: LocalCluster, tmp_path: Path, policy: str, most: int
) -> None:
    (tmp_path / "running").mkdir()
    dsk: dict[Any, Any] = {("leaf", i): (_watched, str(tmp_path), i) for i in range(24)}
    dsk |= {("pair", i): (_watched, str(tmp_path), 24 + i, ("leaf", 2 * i), ("leaf", 2 * i + 1)) for i in range(12)}
    dsk["sum"] = (sum, [("pair", i) for i in range(12)])
    with Client(cluster) as client:
        assert client.get(dsk, "sum", policy=policy, max_parallelism=most) == sum(range(24, 36))
    seen = list(map(int, (tmp_path / "seen").read_text().split()))
    assert len(seen) == 36
    assert max(seen) <= most


def _large(folder: str, number: int, *_: Any) -> Any:
    (Path(folder) / f"large-{number}").touch()
    return np.full(200_000, number)


def _spin(folder: str, *_: Any) -> None:
    while not (Path(folder) / "enough").exists():
        time.sleep(0.01)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_cancelled_job_leaves_no_value_and_a_released_one_nothing_but_its_tombstone(
    cluster: LocalCluster, stores: Callable[[str], tuple[set[str], set[str]]], tmp_path: Path, policy: str
) -> None:
    folder = str(tmp_path)
    dsk: dict[Any, Any] = {("a", i): (_large, folder, i) for i in range(60)}
    dsk |= {("b", i): (_large, folder, 60 + i, *(("a", (i + n) % 60) for n in (0, 1, 30))) for i in range(60)}
    dsk |= {("c", i): (_spin, folder, *(("b", 20 * i + n) for n in range(20))) for i in range(3)}
    dsk["all"] = (len, [("c", i) for i in range(3)])
    with Client(cluster) as client:
        job = client.submit_graph(dsk, "all", policy=policy)
        until(lambda: len(list(tmp_path.glob("large-*"))) > 60 and len(stores(job.id)[1]) > 10)
        job.cancel()
        with pytest.raises(JobCancelled):
            job.result(timeout=30)
        until(lambda: _idle(cluster))
        assert stores(job.id)[1] == set()
        job.release()
        until(lambda: stores(job.id) == ({f"w:{job.id}:m"}, set()))


@pytest.mark.parametrize("policy", POLICIES)
def test_a_deadline_ends_a_job_soon_after_it(cluster: LocalCluster, tmp_path: Path, policy: str) -> None:
    dsk: dict[Any, Any] = {("a", i): (_spin, str(tmp_path)) for i in range(3)} | {
        "b": (len, [("a", i) for i in range(3)])
    }
    with Client(cluster) as client:
        with pytest.raises(DeadlineExceeded, match="and 0 of 4 tasks have run") as told:
            client.get(dsk, "b", policy=policy, deadline=0.5)
        assert 0.5 < told.value.seconds < 20
        assert client.get({"free": (int, "7")}, "free") == 7


def _idle(cluster: LocalCluster) -> bool:
    log = cluster.logs()["wukong-executor"]
    return log.count("START RequestId") == log.count("REPORT RequestId")
