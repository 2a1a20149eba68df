"""The real server behind the stores."""

from __future__ import annotations

import shutil
import socket
import time
from pathlib import Path

import pytest

from wukong.cluster import valkey
from wukong.cluster.valkey import ValkeyServer, server_program
from wukong.errors import ClusterUnavailable
from wukong.redis.connection import Connection
from wukong.redis.errors import ReplyError


def test_answers_on_loopback_to_its_password_only(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path, "mds", password="secret") as server:
        assert server.address.startswith("127.0.0.1:")
        client = Connection(server.address, password="secret")
        assert client.call("CONFIG", "GET", "save") == [b"save", b""]
        assert client.call("CONFIG", "GET", "appendonly") == [b"appendonly", b"no"]
        client.close()
        stranger = Connection(server.address)
        with pytest.raises(ReplyError):
            stranger.call("PING")
        stranger.close()


@pytest.mark.parametrize(("durable", "disabled"), [(False, b"no"), (True, b"yes")])
def test_asks_for_huge_pages_unless_it_forks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool, disabled: bytes
) -> None:
    tuned = "glibc.malloc.arena_max=2"
    monkeypatch.setenv("GLIBC_TUNABLES", tuned)
    program = tmp_path / "teller"
    program.write_text(f'#!/bin/sh\necho "tuned: $GLIBC_TUNABLES."\nexec {server_program()} "$@"\n')
    program.chmod(0o755)
    with ValkeyServer(tmp_path, "store", password="secret", program=str(program), durable=durable) as server:
        client = Connection(server.address, password="secret")
        assert client.call("CONFIG", "GET", "disable-thp") == [b"disable-thp", disabled]
        client.close()
        wanted = tuned if durable else f"glibc.malloc.hugetlb=1:{tuned}"
        assert f"tuned: {wanted}." in server.log.read_text()


def test_takes_another_port_when_its_port_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = valkey.free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [taken.getsockname()[1], free]
        monkeypatch.setattr(valkey, "free_port", lambda: ports.pop(0))
        with ValkeyServer(tmp_path, "mds", password="secret") as server:
            assert server.address == f"127.0.0.1:{free}"


def test_gives_up_when_every_port_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(valkey, "free_port", lambda: taken.getsockname()[1])
        with pytest.raises(ClusterUnavailable, match=r"(?s)mds .* ended with code 1.*already in use"):
            ValkeyServer(tmp_path, "mds", password="secret").__enter__()


def test_server_that_does_not_answer_is_told(tmp_path: Path) -> None:
    program = tmp_path / "mute"
    program.write_text("#!/bin/sh\necho I am mute\nexec cat /dev/zero > /dev/null\n")
    program.chmod(0o755)
    server = ValkeyServer(tmp_path, "mds", password="secret", program=str(program))
    server.start()
    try:
        with pytest.raises(ClusterUnavailable, match=r"(?s)does not answer.*I am mute"):
            server.wait_ready(time.monotonic() + 0.3)
    finally:
        server.close()


def test_program_is_found_by_name_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "my-server"
    shutil.copy(server_program({}), program)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert server_program({"WUKONG_STORE_SERVER": "my-server"}) == str(program)
    assert server_program({"WUKONG_STORE_SERVER": str(program)}) == str(program)
    with ValkeyServer(tmp_path, "mds", password="secret", program=str(program)) as server:
        assert server.pid


def test_missing_program_is_named() -> None:
    with pytest.raises(ClusterUnavailable, match="'no-such-server', which WUKONG_STORE_SERVER names"):
        server_program({"WUKONG_STORE_SERVER": "no-such-server"})
