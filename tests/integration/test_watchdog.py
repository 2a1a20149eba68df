"""A job whose records are gone from the metadata store starts again, and ends with the right result; not for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from wukong import Client, ClusterUnavailable, LocalCluster
from wukong.client.connection import Connection as ControlConnection
from wukong.redis import Connection


def _step(folder: str, number: int, *_: Any) -> int:
    (Path(folder) / f"{number}").touch()
    time.sleep(0.05)
    return number


def graph(folder: Path) -> dict[Any, Any]:
    """Two rows of tasks and what joins them: both executors need what the other one made."""
    dsk: dict[Any, Any] = {}
    for row in range(2):
        for i in range(20):
            before = [(other, i - 1) for other in range(2)] if i and i % 5 == 0 else [(row, i - 1)] if i else []
            dsk[row, i] = (_step, str(folder), 20 * row + i, *before)
    dsk["sum"] = (sum, [*dsk])
    return dsk


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(environments=2, lease_seconds=0.8) as cluster:
        yield cluster


@contextmanager
def meanwhile(cluster: LocalCluster, act: Callable[[Connection], bool]) -> Iterator[None]:
    """Calls `act` with the metadata store in a thread, until it returns true."""
    control = ControlConnection(cluster.address, cluster.token, 10)
    direct = control.cluster.direct
    control.close()
    user, password = cluster.administrator
    store = Connection(direct.mds_address, user=user, password=password)
    over = threading.Event()

    def run() -> None:
        while not over.wait(0.01) and not act(store):
            pass

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        store.close()


def remove_records(store: Connection) -> None:
    names = [*store.call("KEYS", "w:*:r:*"), *store.call("KEYS", "w:*:look")]
    if names:
        store.call("UNLINK", *names)


def test_a_job_that_lost_its_records_starts_again(cluster: LocalCluster, tmp_path: Path) -> None:
    def act(store: Connection) -> bool:
        if not (tmp_path / "7").exists():
            return False
        remove_records(store)
        return True

    with Client(cluster) as client, meanwhile(cluster, act):
        assert client.get(graph(tmp_path), "sum") == sum(range(40))
        report = client.report()
        assert report.tasks_run > 41
        assert client.get({"after": (abs, -1)}, "after") == 1


def test_a_job_that_loses_its_records_each_time_says_so(cluster: LocalCluster, tmp_path: Path) -> None:
    def act(store: Connection) -> bool:
        remove_records(store)
        return False

    with Client(cluster) as client:
        with (
            meanwhile(cluster, act),
            pytest.raises(ClusterUnavailable, match="the job was started 3 times, and has no executor left"),
        ):
            client.get(graph(tmp_path), "sum")
        assert client.get({"after": (abs, -1)}, "after") == 1
