"""A Connection against servers that answer slowly, in bits, wrongly or not at all."""

from __future__ import annotations

import pickle
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from wukong.errors import ClusterUnavailable
from wukong.redis import Connection, Gather, MissingKey, Pool, ReplyError

Serve = Callable[[socket.socket], None]


class Server:
    """Accepts connections one after the other and hands each to the next function of a script."""

    def __init__(self, *script: Serve) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.failures: list[BaseException] = []
        self._script = script
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            for serve in self._script:
                connection, _ = self._listener.accept()
                with connection:
                    connection.settimeout(10)
                    serve(connection)
        except BaseException as error:
            self.failures.append(error)

    def close(self) -> None:
        self._thread.join(20)
        self._listener.close()
        assert not self._thread.is_alive()
        assert self.failures == []


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*script: Serve) -> Server:
        servers.append(Server(*script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def take(connection: socket.socket, nbytes: int) -> bytes:
    data = b""
    while len(data) < nbytes:
        part = connection.recv(min(65536, nbytes - len(data)))
        assert part, "the client closed"
        data += part
    return data


PING = b"*1\r\n$4\r\nPING\r\n"


def test_replies_that_come_byte_by_byte(start: Callable[..., Server]) -> None:
    def serve(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for reply in (b"+PONG\r\n", b"*2\r\n$3\r\na\r\n\r\n*1\r\n:-5\r\n", b"$-1\r\n", b"*-1\r\n", b"$0\r\n\r\n"):
            take(connection, len(PING))
            for at in range(len(reply)):
                connection.sendall(reply[at : at + 1])

    with closing(Connection(start(serve).address)) as connection:
        replies = [connection.call("PING") for _ in range(5)]
    assert replies == [b"PONG", [b"a\r\n", [-5]], None, None, b""]


def test_read_into_when_replies_come_in_bits(start: Callable[..., Server]) -> None:
    request = b"".join(b"*2\r\n$3\r\nGET\r\n$1\r\n%c\r\n" % key for key in b"abcde")
    answer = b"$3\r\nxyz\r\n$-1\r\n-WRONGTYPE not a string\r\n$0\r\n\r\n$100\r\n" + bytes(range(100)) + b"\r\n"

    def serve(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for step in (1, 2, 7, 64, 1000):
            assert take(connection, len(request)) == request
            for at in range(0, len(answer), step):
                connection.sendall(answer[at : at + step])

    with closing(Connection(start(serve).address)) as connection:
        for _ in range(5):
            buffers = [memoryview(bytearray(size)) for size in (3, 4, 5, 0, 100)]
            with pytest.raises(MissingKey, match="'b'"):
                connection.read_into("abcde", buffers)
            assert [bytes(buffer) for buffer in buffers] == [b"xyz", bytes(4), bytes(5), b"", bytes(range(100))]


def test_a_pipeline_larger_than_all_buffers_to_a_server_that_answers_as_it_reads(start: Callable[..., Server]) -> None:
    blob = b"x" * 200_000
    one = b"*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n" % (len(blob), blob)

    def serve(connection: socket.socket) -> None:
        # It reads nothing more until its answer is taken, as a server that limits its memory would.
        for _ in range(60):
            assert take(connection, len(one)) == one
            connection.sendall(b"$%d\r\n%s\r\n" % (len(blob), blob))

    with closing(Connection(start(serve).address, timeout=10)) as connection:
        assert connection.pipeline([("ECHO", blob)] * 60) == [blob] * 60
        assert connection.bytes_sent == 60 * len(one)
        assert connection.round_trips == 1


def test_more_buffers_than_one_system_call_takes(start: Callable[..., Server]) -> None:
    parts = [bytes([number % 256]) * 20_000 for number in range(2500)]
    head = b"*2\r\n$4\r\nECHO\r\n$50000000\r\n"
    body = b"".join(parts) + b"\r\n"

    def serve(connection: socket.socket) -> None:
        assert take(connection, len(head)) == head
        received = bytearray()
        while len(received) < len(body):
            received += connection.recv(1 << 20)
        assert received == body
        connection.sendall(b"+OK\r\n")

    with closing(Connection(start(serve).address)) as connection:
        assert connection.call("ECHO", Gather(parts)) == b"OK"


def hold(connection: socket.socket) -> None:
    """Read until the client goes away, and answer nothing."""
    while connection.recv(65536):
        pass


def test_a_server_that_does_not_answer(start: Callable[..., Server]) -> None:
    server = start(hold)
    with (
        closing(Connection(server.address, timeout=0.1)) as connection,
        pytest.raises(ClusterUnavailable, match=r"did not answer within 0\.1 s") as caught,
    ):
        connection.call("PING")
    assert server.address in str(caught.value)
    assert "'PING'" in str(caught.value)
    assert caught.value.retryable


def test_a_server_that_does_not_read(start: Callable[..., Server]) -> None:
    done = threading.Event()
    server = start(lambda connection: done.wait(10) and None)
    with (
        closing(Connection(server.address, timeout=0.1)) as connection,
        pytest.raises(ClusterUnavailable, match="did not answer"),
    ):
        connection.call("SET", "k", bytes(50_000_000))
    done.set()


@pytest.mark.parametrize("answer", [b"", b"$5\r\nab", b"*2\r\n:1\r\n"])
def test_a_server_that_closes(start: Callable[..., Server], answer: bytes) -> None:
    def cut(connection: socket.socket) -> None:
        take(connection, len(PING))
        connection.sendall(answer)

    def pong(connection: socket.socket) -> None:
        take(connection, len(PING))
        connection.sendall(b"+PONG\r\n")

    with closing(Connection(start(cut, pong).address)) as connection:
        with pytest.raises(ClusterUnavailable, match="connection broke"):
            connection.call("PING")
        assert connection.call("PING") == b"PONG"


def test_a_server_that_closes_within_a_value(start: Callable[..., Server]) -> None:
    def cut(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"$1000\r\n" + bytes(500))

    with closing(Connection(start(cut).address)) as connection, pytest.raises(ClusterUnavailable, match="broke"):
        connection.read_into(["k"], [memoryview(bytearray(1000))])


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"?\r\n"])
def test_a_server_that_is_no_redis(start: Callable[..., Server], answer: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(answer)

    with closing(Connection(start(serve, serve).address)) as connection:
        with pytest.raises(ClusterUnavailable, match="not RESP2"):
            connection.call("PING")
        with pytest.raises(ClusterUnavailable, match="not RESP2"):
            connection.read_into(["k"], [memoryview(bytearray(10))])


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ClusterUnavailable, match=f"cannot connect to the Redis at '{address}'"):
        Connection(address).call("PING")
    for wrong in ("nohost.invalid:1", "127.0.0.1", "127.0.0.1:x"):
        with pytest.raises(ClusterUnavailable, match="cannot connect"):
            Connection(wrong).call("PING")


def test_a_server_that_starts_is_worth_another_try(start: Callable[..., Server]) -> None:
    def serve(connection: socket.socket) -> None:
        take(connection, len(PING))
        connection.sendall(b"-LOADING Redis is loading the dataset in memory\r\n")
        take(connection, len(PING))
        connection.sendall(b"+PONG\r\n")

    with closing(Connection(start(serve).address)) as connection:
        with pytest.raises(ClusterUnavailable, match="starting"):
            connection.call("PING")
        assert connection.call("PING") == b"PONG"


def test_a_call_that_is_interrupted_does_not_leave_its_reply_to_the_next(start: Callable[..., Server]) -> None:
    class Interrupted(Exception):
        pass

    waiting = threading.Event()

    def silent(connection: socket.socket) -> None:
        take(connection, len(PING))
        waiting.set()
        hold(connection)

    def pong(connection: socket.socket) -> None:
        take(connection, len(PING))
        connection.sendall(b"+second\r\n")

    def interrupt(number: int, frame: object) -> None:
        raise Interrupted

    def send() -> None:
        waiting.wait(10)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    sender = threading.Thread(target=send)
    try:
        with closing(Connection(start(silent, pong).address)) as connection:
            sender.start()
            with pytest.raises(Interrupted):
                connection.call("PING")
            assert connection.call("PING") == b"second"
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)


def test_a_signal_that_raises_nothing_is_no_error(start: Callable[..., Server]) -> None:
    seen = threading.Event()

    def serve(connection: socket.socket) -> None:
        take(connection, len(PING))
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        deadline = time.monotonic() + 10
        while not seen.wait(0.01):
            assert time.monotonic() < deadline
        connection.sendall(b"+PONG\r\n")

    before = signal.signal(signal.SIGUSR1, lambda number, frame: seen.set())
    try:
        with closing(Connection(start(serve).address)) as connection:
            assert connection.call("PING") == b"PONG"
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_errors_survive_pickling() -> None:
    for error in (ReplyError("OOM", "OOM no memory"), MissingKey("k")):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert (again.args, again.__dict__, str(again)) == (error.args, error.__dict__, str(error))


def test_a_pool_reuses_connections_and_closes_what_it_does_not_keep(start: Callable[..., Server]) -> None:
    def serve(connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(b"+PONG\r\n")

    pool = Pool(start(serve).address, size=1)
    for _ in range(3):
        with pool.connection() as connection:
            assert connection.call("PING") == b"PONG"
    with pool.connection() as one, pool.connection() as two:
        assert one is connection
        assert two is not one
    assert pool.counters() == (3, 3 * len(PING), 3 * len(b"+PONG\r\n"))
    pool.close()
    assert pool.counters().round_trips == 3
