"""The short way to a server on this machine: taken where it leads to one, and missed nowhere."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from wukong.cluster.valkey import ValkeyServer
from wukong.redis import Connection, ConnectionLost, dial

PASSWORD = "open-sesame"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where this test's sockets are."""
    dial._path.cache_clear()
    monkeypatch.setattr(dial, "_PARENT", tmp_path)
    yield tmp_path / f"wukong-sockets-{os.getuid()}"
    dial._path.cache_clear()


def family(address: str) -> socket.AddressFamily:
    host, _, port = address.rpartition(":")
    stream, near = dial.dial(host, int(port), 10)
    assert near
    with stream:
        return socket.AddressFamily(stream.family)


def test_a_server_of_ones_own_is_reached_by_its_socket(tmp_path: Path, folder: Path) -> None:
    with ValkeyServer(tmp_path, "store", password=PASSWORD) as server:
        assert family(server.address) is socket.AF_UNIX
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (path,) = folder.iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        server.close_short_way()
        assert family(server.address) is socket.AF_INET
    assert list(folder.iterdir()) == []


def test_a_server_can_be_told_to_listen_at_its_port_only(tmp_path: Path, folder: Path) -> None:
    with ValkeyServer(tmp_path, "store", password=PASSWORD, sockets=False) as server:
        assert family(server.address) is socket.AF_INET
    assert not folder.exists()


def test_the_password_is_asked_for_there_too(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path, "store", password=PASSWORD) as server:
        stranger = Connection(server.address, password="guess")
        with pytest.raises(Exception, match="did not accept the store password"):
            stranger.call("PING")
        stranger.close()


def test_a_server_that_was_killed_is_away_and_one_that_comes_again_is_there(tmp_path: Path, folder: Path) -> None:
    with ValkeyServer(tmp_path, "store", password=PASSWORD) as server:
        connection = Connection(server.address, password=PASSWORD)
        connection.call("SET", "key", "value")
        os.kill(server.pid, signal.SIGKILL)
        os.waitpid(server.pid, 0)
        server.reaped(-9)
        assert len(list(folder.iterdir())) == 1  # nobody was there to remove it
        for _ in range(2):
            with pytest.raises(ConnectionLost):
                connection.call("GET", "key")
        with ValkeyServer(tmp_path, "again", password=PASSWORD) as again:
            # What the dead one left is gone, and only that.
            assert len(list(folder.iterdir())) == 1
            assert family(again.address) is socket.AF_UNIX
        connection.close()


def test_a_socket_behind_which_nobody_listens_is_passed_by(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        path = dial.prepared(port)
        assert path is not None
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(os.fspath(path))
        assert family(f"127.0.0.1:{port}") is socket.AF_INET
        listener.accept()[0].close()


def test_a_socket_of_another_user_is_passed_by(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX) as other:
        port = listener.getsockname()[1]
        path = dial.prepared(port)
        assert path is not None
        other.bind(os.fspath(path))
        other.listen()
        assert family(f"127.0.0.1:{port}") is socket.AF_UNIX
        me = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: me + 1)  # who listens is somebody else now
        assert dial._path(port) == path
        assert family(f"127.0.0.1:{port}") is socket.AF_INET


@pytest.mark.parametrize("spoiled", ["open to others", "a link", "a file"])
def test_a_folder_that_is_not_ones_own_is_not_used(folder: Path, tmp_path: Path, spoiled: str) -> None:
    if spoiled == "open to others":
        folder.mkdir()
        folder.chmod(0o755)
    elif spoiled == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.touch()
    assert dial.prepared(12345) is None
    with ValkeyServer(tmp_path, "store", password=PASSWORD) as server:
        assert family(server.address) is socket.AF_INET


def test_another_address_of_the_same_port_has_no_short_way(folder: Path) -> None:
    with socket.create_server(("127.0.0.2", 0)) as listener, socket.socket(socket.AF_UNIX) as near:
        port = listener.getsockname()[1]
        path = dial.prepared(port)
        assert path is not None
        near.bind(os.fspath(path))
        near.listen()
        stream, _ = dial.dial("127.0.0.2", port, 10)
        with stream:
            assert stream.family == socket.AF_INET
