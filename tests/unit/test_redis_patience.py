"""A Connection whose server goes away and comes back."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from wukong.redis import Connection, ConnectionLost, Pool
from wukong.redis.connection import Reply

PING = b"*1\r\n$4\r\nPING\r\n"
INFO = b"*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n"


class Servers:
    """One port on which servers come one after the other. Each accepts one connection and answers some requests."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self._threads: list[threading.Thread] = []

    def live(self, exchanges: list[tuple[bytes, bytes]]) -> threading.Thread:
        """Listen, answer these requests, and end."""
        listener = socket.create_server(("127.0.0.1", self.port))

        def serve() -> None:
            with listener:
                connection, _ = listener.accept()
            with connection:
                for request, answer in exchanges:
                    got = b""
                    while len(got) < len(request):
                        got += connection.recv(len(request) - len(got))
                    assert got == request
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        self._threads.append(thread)
        return thread

    def close(self) -> None:
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


def _name(name: bytes) -> bytes:
    text = b"redis_version:7\r\nrun_id:" + name + b"\r\n"
    return b"$%d\r\n%s\r\n" % (len(text), text)


def _after(servers: Servers, *lives: list[tuple[bytes, bytes]]) -> threading.Thread:
    """Have servers come one after the other, the first a moment later."""

    def come() -> None:
        time.sleep(0.1)  # so that somebody is refused first
        for exchanges in lives:
            servers.live(exchanges).join()

    thread = threading.Thread(target=come)
    thread.start()
    return thread


@pytest.mark.parametrize(
    "call",
    [
        lambda connection: connection.call("PING"),
        lambda connection: connection.pipeline([("PING",)])[0],
    ],
)
def test_a_call_waits_for_a_server_that_starts_again(servers: Servers, call: Callable[[Connection], Reply]) -> None:
    with closing(Connection(servers.address, patience=20.0)) as connection:
        first = servers.live([(PING, b"+one\r\n")])
        assert call(connection) == b"one"
        first.join()
        coming = _after(servers, [(PING, b"")], [(PING, b"-LOADING soon\r\n"), (PING, b"+two\r\n")])
        assert call(connection) == b"two"
        coming.join()


def test_values_are_read_from_a_server_that_starts_again(servers: Servers) -> None:
    request = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
    with closing(Connection(servers.address, patience=20.0)) as connection:
        coming = _after(servers, [(request, b"$3\r\nx")], [(request, b"$3\r\nxyz\r\n")])
        buffer = memoryview(bytearray(3))
        connection.read_into(["a"], [buffer])
        assert bytes(buffer) == b"xyz"
        coming.join()


def test_patience_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with closing(Connection(address, patience=0.3)) as connection:
        begun = time.monotonic()
        with pytest.raises(ConnectionLost, match="cannot connect"):
            connection.call("PING")
        assert time.monotonic() - begun > 0.1


def test_a_server_that_was_started_again_is_noticed(servers: Servers) -> None:
    pool = Pool(servers.address, patience=20.0, identify=True)

    def ping() -> Reply:
        with pool.connection() as connection:
            return connection.call("PING")

    first = servers.live([(INFO, _name(b"aa")), (PING, b"+1\r\n")])
    assert ping() == b"1"
    first.join()
    same = servers.live([(INFO, _name(b"aa")), (PING, b"+2\r\n")])
    assert ping() == b"2"
    same.join()
    assert pool.reconnects == 0
    servers.live([(INFO, _name(b"bb")), (PING, b"+3\r\n")])
    assert ping() == b"3"
    assert pool.reconnects == 1
    assert pool.counters().round_trips == 5  # the two that broke count, connecting does not
    pool.close()


def test_nobody_takes_himself_for_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = socket.socket()
    mine.bind(("127.0.0.1", 0))
    mine.connect(mine.getsockname())
    host, port = mine.getsockname()
    monkeypatch.setattr(socket, "create_connection", lambda address, timeout: mine)
    with closing(Connection(f"{host}:{port}")) as connection, pytest.raises(ConnectionLost, match="nothing listens"):
        connection.call("PING")
    assert mine.fileno() == -1
