"""A writer that is stopped in the middle of a write, for longer than its job lives, leaves nothing that stays."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator, Sequence

import pytest

from wukong.errors import StoreFull
from wukong.kvs.redis import RedisKvs
from wukong.kvs.ring import Node, Ring
from wukong.redis import Arg, Connection, Reply

MINUTE = 60.0

#: Bytes of the value, and after how many of them its writer stops.
SIZE = 4_000_000
FIRST = 60_000


class Sleeper:
    """A way to a node that carries the first bytes of one large write, and the others when it wakes.

    Attributes:
        asleep: Set when the node has read the first bytes and answered some of them.
        wakes: To be set for the others.
    """

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._node = host, int(port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.asleep, self.wakes = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection(self._node)
                self._sockets += [here, there]
                for carry in (self._carry_there, self._carry_back):
                    self._threads.append(threading.Thread(target=carry, args=(here, there)))
                    self._threads[-1].start()

    def _carry_there(self, here: socket.socket, there: socket.socket) -> None:
        carried = 0
        with contextlib.suppress(OSError):
            while data := here.recv(FIRST):
                there.sendall(data)
                carried += len(data)
                if carried >= FIRST:
                    self.wakes.wait()

    def _carry_back(self, here: socket.socket, there: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := there.recv(FIRST):
                if b":1" in data or b"QUEUED" in data:
                    self.asleep.set()
                here.sendall(data)

    def close(self) -> None:
        self.wakes.set()
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join()


class Stage:
    """A writer on its way to a node, and somebody who reaches the node at once."""

    def __init__(self, address: str, password: str) -> None:
        self.node = Connection(address, password=password)
        self.way = Sleeper(address)
        self.writer, self.other = (
            RedisKvs(Ring(1, (Node("n", reached),)), password=password) for reached in (self.way.address, address)
        )

    @contextlib.contextmanager
    def asleep(self) -> Iterator[None]:
        """The writer is in the middle of a write, and goes on when the block ends."""
        writing = threading.Thread(target=lambda: self.writer.put("job", "x", "t", [os.urandom(SIZE)], MINUTE))
        writing.start()
        try:
            assert self.way.asleep.wait(30)
            yield
        finally:
            self.way.wakes.set()
            writing.join()

    def keys(self) -> object:
        return self.node.call("KEYS", "*")

    def close(self) -> None:
        for part in (self.writer, self.other, self.way, self.node):
            part.close()


@pytest.fixture
def stage(valkey_address: str, valkey_password: str) -> Iterator[Stage]:
    stage = Stage(valkey_address, valkey_password)
    yield stage
    stage.close()


def test_what_a_purge_came_into_the_middle_of_the_next_purge_finds(stage: Stage) -> None:
    with stage.asleep():
        assert stage.other.purge("job") == 0
    assert len(stage.writer.get("job", "x", "t", SIZE)) == SIZE
    assert stage.writer.purge("job") == 1
    assert stage.keys() == []


def test_what_was_collected_in_the_middle_a_purge_finds(stage: Stage) -> None:
    with stage.asleep():
        stage.other.collect("job", lambda: lambda name, token: False)
    assert stage.writer.purge("job") == 1
    assert stage.keys() == []


def test_a_node_that_is_full_when_all_of_a_write_is_there_takes_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.way.wakes.set()
    pipeline = Connection.pipeline

    def filled_up_before_the_last(self: Connection, commands: Sequence[Sequence[Arg]]) -> list[Reply]:
        *others, last = commands
        replies = pipeline(self, others)
        stage.node.call("CONFIG", "SET", "maxmemory", 1)
        return [*replies, *pipeline(self, [last])]

    monkeypatch.setattr(Connection, "pipeline", filled_up_before_the_last)
    try:
        with pytest.raises(StoreFull, match="the KVS is full"):
            stage.other.put("job", "x", "t", [os.urandom(SIZE)], MINUTE)
    finally:
        stage.node.call("CONFIG", "SET", "maxmemory", 0)
    assert stage.keys() == []


def test_of_a_write_that_is_not_finished_there_is_nothing(stage: Stage) -> None:
    with stage.asleep():
        assert stage.keys() == []
    assert stage.writer.purge("job") == 1
