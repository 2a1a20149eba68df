"""Clusters that are not there, or not any more."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

import wukong.client.session
from wukong import Client, ClusterUnavailable, LocalCluster, WukongError
from wukong.errors import AccessDenied


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_a_wrong_address_is_told_within_the_timeout() -> None:
    address = f"127.0.0.1:{unused_port()}"
    begun = time.monotonic()
    with pytest.raises(ClusterUnavailable, match=address):
        Client(address, token="t", timeout=0.5)
    assert time.monotonic() - begun < 15


def test_a_wrong_token_is_refused_at_once(cluster: LocalCluster) -> None:
    with pytest.raises(AccessDenied):
        Client(cluster.address, token="wrong")


def test_a_silent_server_is_told_within_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        begun = time.monotonic()
        with pytest.raises(ClusterUnavailable):
            Client(f"127.0.0.1:{server.getsockname()[1]}", token="t", timeout=0.5)
        assert time.monotonic() - begun < 15


def test_an_address_and_a_token_are_enough(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    by_argument = Client(cluster.address, token=cluster.token)
    assert by_argument.get({"a": (abs, -3)}, "a") == 3
    by_argument.close()
    monkeypatch.setenv("WUKONG_ADDRESS", cluster.address)
    monkeypatch.setenv("WUKONG_TOKEN", cluster.token)
    by_environment = Client()
    assert by_environment.get({"a": (abs, -4)}, "a") == 4
    by_environment.close()


def test_a_cluster_that_ends_in_the_middle_of_a_job_is_told(tmp_path: Path) -> None:
    started = tmp_path / "started"

    def wait() -> None:
        started.touch()
        time.sleep(60)

    found: list[Any] = []

    def compute() -> None:
        try:
            client.get({"a": (wait,)}, "a")
        except WukongError as error:
            found.append(error)

    cluster = LocalCluster(environments=1)
    try:
        client = Client(cluster, timeout=1.0)
        thread = threading.Thread(target=compute)
        thread.start()
        end = time.monotonic() + 60
        while not started.exists():
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        cluster.close()
    thread.join(30)
    assert not thread.is_alive()
    assert isinstance(found[0], ClusterUnavailable)
    with pytest.raises(ClusterUnavailable):
        client.get({"a": (abs, -1)}, "a")
    begun = time.monotonic()
    client.close()
    assert time.monotonic() - begun < 15


def test_a_client_keeps_its_cluster_until_it_is_gone_itself(gone: Callable[[list[int]], None]) -> None:
    others = {child.pid for child in psutil.Process().children(recursive=True)}
    client = Client(LocalCluster(environments=1))
    gc.collect()
    assert client.get({"a": (abs, -3)}, "a") == 3
    pids = [child.pid for child in psutil.Process().children(recursive=True) if child.pid not in others]
    assert pids
    del client
    gc.collect()
    gone(pids)


def test_a_cluster_that_was_closed_is_told_at_once() -> None:
    cluster = LocalCluster(environments=1)
    client = Client(cluster, timeout=60)
    job = client.submit_graph({"a": (time.sleep, 60)}, "a")
    cluster.close()
    begun = time.monotonic()
    for use in (job.result, client.jobs, lambda: Client(cluster)):
        with pytest.raises(ClusterUnavailable, match=f"the embedded cluster at {cluster.address} was closed"):
            use()
    assert time.monotonic() - begun < 30
    client.close()


def test_a_client_that_cannot_reach_the_stores_goes_by_the_proxy(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask.array as da
    import numpy as np

    monkeypatch.setattr(wukong.client.session, "reach", lambda cluster: None)
    client = Client(cluster)
    values = np.arange(300_000.0)
    doubled = client.compute(da.from_array(values, chunks=100_000) * 2)
    np.testing.assert_array_equal(doubled, values * 2)
    assert client.get({"a": (str, 5), "b": None, "c": (list, (range, 3))}, ["a", "b", "c"]) == ("5", None, [0, 1, 2])
    with pytest.raises(ZeroDivisionError):
        client.get({"a": (divmod, 1, 0)}, "a")
    client.close()


def test_a_cluster_that_was_given_up_is_told_at_once_and_with_its_reason() -> None:
    class Cluster:
        address = f"127.0.0.1:{unused_port()}"
        token = "t"

        def check(self) -> None:
            raise ClusterUnavailable("the embedded cluster gave up")

    cluster = Cluster()
    begun = time.monotonic()
    with pytest.raises(ClusterUnavailable, match="gave up"):
        Client(cluster, timeout=60)
    assert time.monotonic() - begun < 30
