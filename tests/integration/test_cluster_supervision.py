"""A part that is killed starts again where it was; one that cannot be kept is the end of the cluster, with a reason."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wukong import ClusterUnavailable, LocalCluster
from wukong.cluster.valkey import ValkeyServer
from wukong.errors import WukongError
from wukong.redis.connection import Connection


def _listens(address: str, seconds: float = 30.0) -> None:
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host, int(port))).close()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.mark.parametrize("role", ["store", "zygote", "control", "storekeeper"])
def test_killed_part_starts_again_and_the_others_stay(standins: Callable[..., None], role: str) -> None:
    below = {"control": ["zygote"], "storekeeper": ["store"]}
    with LocalCluster() as cluster:
        before = cluster.processes()
        killed = next(pid for name, pid in before if name == role)
        os.kill(killed, signal.SIGKILL)
        _gone_from(cluster, killed)
        ends = {role, *below.get(role, ())}
        after = cluster.processes()
        assert {(name, pid) for name, pid in before if name not in ends} <= set(after)
        assert sorted(name for name, _ in after) == sorted(name for name, _ in before)
        _listens(cluster.address)


def _gone_from(cluster: LocalCluster, pid: int) -> None:
    deadline = time.monotonic() + 30
    while pid in [number for _, number in cluster.processes()]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_part_that_ends_again_and_again_is_told_with_its_last_words(standins: Callable[..., None]) -> None:
    standins()
    with LocalCluster() as cluster:
        standins(zygote="standin_zygote_that_fails:main")
        os.kill(dict(cluster.processes())["zygote"], signal.SIGKILL)
        deadline = time.monotonic() + 100
        while not _given_up(cluster):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(ClusterUnavailable, match=r"(?s)gave up.*'zygote'.*no room in the burrow"):
            cluster.processes()


def _given_up(cluster: LocalCluster) -> bool:
    try:
        cluster.check()
    except ClusterUnavailable:
        return True
    return False


def test_durable_server_has_all_that_it_acknowledged_when_it_is_killed(tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path, "mds", password="secret", durable=True)
    with server:
        connection = Connection(server.address, password="secret", patience=30.0)
        try:
            for number in range(500):
                connection.call("SET", f"k{number}", "v" * 100)
            os.kill(server.pid, signal.SIGKILL)
            server.close()
            server.start(server.address)
            assert connection.call("DBSIZE") == 500
        finally:
            connection.close()


def test_server_waits_for_its_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server = ValkeyServer(tmp_path, "mds", password="secret")
        server.start(address)
        with pytest.raises(WukongError, match="already in use"):
            server.wait_ready(time.monotonic() + 30)
    server.start(address)
    try:
        server.wait_ready(time.monotonic() + 30)
        assert server.address == address
    finally:
        server.close()


def test_interpreter_has_one_thread_for_each_part_and_none_after(standins: Callable[..., None]) -> None:
    def keeping() -> list[str]:
        return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("wukong-keeps-"))

    before = keeping()
    with LocalCluster():
        assert len(keeping()) == len(before) + 2
    deadline = time.monotonic() + 10
    while keeping() != before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
