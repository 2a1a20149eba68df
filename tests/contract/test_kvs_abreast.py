"""Stripes go to several nodes and come from them at the same time: nobody waits for a slow node but its own stripes."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from tests.waiting import until

from wukong.kvs import nodes
from wukong.kvs.redis import RedisKvs
from wukong.kvs.ring import Node, Ring
from wukong.kvs.striping import Striping
from wukong.redis import Connection, connection

MINUTE = 60.0
STRIPING = Striping(whole_bytes=1 << 20)
COUNT = 12


class Gate:
    """A way to a node on which nothing comes back while it is shut."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._node = host, int(port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self.open = threading.Event()
        self.open.set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection(self._node)
                self._sockets += [here, there]
                for way in ((here, there, None), (there, here, self.open)):
                    self._threads.append(threading.Thread(target=self._carry, args=way))
                    self._threads[-1].start()

    def _carry(self, source: socket.socket, target: socket.socket, gate: threading.Event | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                if gate is not None:
                    gate.wait()
                target.sendall(data)

    def close(self) -> None:
        self.open.set()
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join()


class Pair:
    """A store on two nodes, one of them behind a gate."""

    def __init__(self, addresses: list[str], password: str, slow: int) -> None:
        self.gate = Gate(addresses[slow])
        self.fast = Connection(addresses[1 - slow], password=password)
        reached = [self.gate.address if number == slow else address for number, address in enumerate(addresses)]
        ring = Ring(1, tuple(Node(f"n{number}", address) for number, address in enumerate(reached)))
        self.kvs = RedisKvs(ring, password=password, striping=STRIPING)
        self.on_fast = COUNT // 2

    @contextlib.contextmanager
    def shut_until(self, condition: Callable[[], bool]) -> Iterator[None]:
        """The slow node says nothing until something is true."""
        self.gate.open.clear()
        told: list[bool] = []

        def watch() -> None:
            try:
                told.append(until(condition, 30))
            finally:
                self.gate.open.set()

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            watcher.join()
        assert told

    def stripes_on_fast(self) -> int:
        found = self.fast.call("KEYS", "w:job:v:*")
        assert isinstance(found, list)
        return len(found)

    def reads_on_fast(self) -> int:
        told = self.fast.call("INFO", "commandstats")
        assert isinstance(told, bytes)
        return int(told.partition(b"cmdstat_get:calls=")[2].partition(b",")[0] or 0)

    def close(self) -> None:
        self.kvs.close()
        self.fast.close()
        self.gate.close()


@pytest.fixture(params=[0, 1], ids=["the first node is slow", "the second node is slow"])
def pair(
    request: pytest.FixtureRequest,
    valkey_addresses: list[str],
    valkey_password: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Pair]:
    monkeypatch.setattr(nodes, "TIMEOUT", 60.0)  # the gate's own time is over before
    pair = Pair(valkey_addresses, valkey_password, request.param)
    yield pair
    pair.close()


def test_a_slow_node_does_not_hold_up_what_goes_to_others(pair: Pair) -> None:
    data = os.urandom(COUNT << 20)
    with pair.shut_until(lambda: pair.stripes_on_fast() == pair.on_fast):
        pair.kvs.put("job", "x", "t", [data], MINUTE)
    assert pair.stripes_on_fast() == pair.on_fast
    assert pair.kvs.get("job", "x", "t", len(data)) == data


def test_a_slow_node_does_not_hold_up_what_comes_from_others(pair: Pair) -> None:
    data = os.urandom(COUNT << 20)
    pair.kvs.put("job", "x", "t", [data], MINUTE)
    pair.fast.call("CONFIG", "RESETSTAT")
    with pair.shut_until(lambda: pair.reads_on_fast() == pair.on_fast):
        assert pair.kvs.get("job", "x", "t", len(data)) == data


def test_what_is_asked_for_at_once_is_bounded(
    valkey_address: str, valkey_password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kvs = RedisKvs(Ring(1, (Node("a", valkey_address),)), password=valkey_password, striping=STRIPING)
    data = os.urandom(COUNT << 20)
    kvs.put("job", "x", "t", [data], MINUTE)
    monkeypatch.setattr(connection, "WINDOW_BYTES", 4 << 20)
    before = kvs.counters().round_trips
    assert kvs.get("job", "x", "t", len(data)) == data
    assert kvs.counters().round_trips - before == COUNT / 4
    monkeypatch.setattr(connection, "WINDOW_BYTES", 1)
    assert kvs.get("job", "x", "t", len(data)) == data
    assert kvs.counters().round_trips - before == COUNT / 4 + COUNT
    kvs.close()
