"""What `LocalCluster` starts, and what it says when a part does not."""

from __future__ import annotations

import os
import re
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from wukong import ClusterUnavailable, LocalCluster


def _children() -> set[int]:
    """The processes below this one; other tests' servers may be among them."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_processes_have_roles_and_are_children(standins: Callable[..., None]) -> None:
    before = _children()
    with LocalCluster(kvs_nodes=2) as cluster:
        listed = cluster.processes()
        children = _children() - before
    assert Counter(role for role, _ in listed) == {"control": 1, "zygote": 1, "store": 3, "storekeeper": 1}
    assert {pid for _, pid in listed} == children


def test_scheduler_listens_where_host_says(standins: Callable[..., None]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    with LocalCluster(host) as cluster:
        assert cluster.address == host
        socket.create_connection(host.split(":")).close()


def test_secrets_are_not_on_command_lines_or_in_environments(standins: Callable[..., None]) -> None:
    with LocalCluster() as cluster:
        for _, pid in cluster.processes():
            process = psutil.Process(pid)
            shown = " ".join([*process.cmdline(), *process.environ().values()])
            assert cluster.token not in shown
            # The store's password and the signing key are random hexadecimal text too.
            assert not re.search(r"\b([0-9a-f]{32}|[0-9a-f]{64})\b", shown)


def test_own_session_so_that_an_interrupt_in_the_terminal_does_not_arrive(
    standins: Callable[..., None],
) -> None:
    with LocalCluster() as cluster:
        assert {os.getsid(pid) for _, pid in cluster.processes()}.isdisjoint({os.getsid(0)})
        assert {os.getpgid(pid) for _, pid in cluster.processes()}.isdisjoint({os.getpgid(0)})


def test_port_in_use_is_named(standins: Callable[..., None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ClusterUnavailable, match=r"'scheduler' did not start: .*[Aa]ddress already in use"):
            LocalCluster(host)


def test_part_that_hangs_is_named(standins: Callable[..., None]) -> None:
    standins(kvs_node="standins:hang")
    with pytest.raises(ClusterUnavailable, match=r"'kvs-node' did not start: it took longer than startup_timeout"):
        LocalCluster(startup_timeout=1)


def test_part_that_raises_is_named_with_its_reason_and_traceback(standins: Callable[..., None]) -> None:
    standins(scheduler="standins:refuse")
    with pytest.raises(ClusterUnavailable, match="'scheduler' did not start: ValueError: the moon is full") as raised:
        LocalCluster()
    assert "in refuse" in str(raised.value)


def test_zygote_that_fails_is_named_with_its_last_words(standins: Callable[..., None]) -> None:
    standins(zygote="standin_zygote_that_fails:main", scheduler="standins:hang")
    with pytest.raises(ClusterUnavailable, match=r"(?s)'zygote' did not start.*no room in the burrow"):
        LocalCluster(startup_timeout=5)


def test_missing_component_is_named(standins: Callable[..., None]) -> None:
    standins(lambda_emulator="absent_module:serve")
    with pytest.raises(ClusterUnavailable, match=r"'lambda-emulator' did not start: .*absent_module"):
        LocalCluster()


def test_missing_store_server_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WUKONG_STORE_SERVER", "no-such-server")
    with pytest.raises(ClusterUnavailable, match="no-such-server"):
        LocalCluster()


def test_store_server_that_fails_is_named(standins: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WUKONG_STORE_SERVER", "false")
    with pytest.raises(ClusterUnavailable, match=r"'mds' did not start: the server of mds .* ended with code 1"):
        LocalCluster()


def test_failed_start_leaves_nothing(
    standins: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before, running = set(tmp_path.iterdir()), _children()
    standins(scheduler="standins:refuse")
    with pytest.raises(ClusterUnavailable):
        LocalCluster()
    assert _children() <= running
    assert set(tmp_path.iterdir()) == before


def test_logs_by_part_until_closed(standins: Callable[..., None]) -> None:
    with LocalCluster() as cluster:
        logs = cluster.logs()
        assert set(logs) == {"control", "zygote", "mds", "kvs-0", "storekeeper"}
        assert "Ready to accept connections" in logs["mds"]
    assert cluster.logs() == {}
    assert cluster.processes() == []


def test_two_clusters_at_once(standins: Callable[..., None]) -> None:
    with LocalCluster() as one, LocalCluster() as other:
        assert one.address != other.address
        assert not {pid for _, pid in one.processes()} & {pid for _, pid in other.processes()}
        one.close()
        assert other.processes()
