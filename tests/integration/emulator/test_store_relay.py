"""The way to the stores, slowed down: a real Valkey, a real relay, and what a connection through it measures.

What must not be faster is asserted of each measurement; what must not be much slower, of the best of several, since the
machine has other things to do.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from wukong.cluster.valkey import ValkeyServer
from wukong.errors import ClusterUnavailable
from wukong.redis import Connection
from wukong_lambda_emulator.provider import ProviderUnavailable
from wukong_lambda_emulator.relay_process import RelayProcess
from wukong_lambda_emulator.store_network import StoreNetwork

Emulate = Callable[..., Any]
Reach = Callable[..., Connection]
PASSWORD = "open-sesame"
MB = 10**6


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ValkeyServer(tmp_path_factory.mktemp("valkey"), "store", password=PASSWORD) as server:
        yield server.address


@pytest.fixture
def relay(loop: Any) -> Iterator[RelayProcess]:
    async def start() -> RelayProcess:
        return RelayProcess()

    relay = loop.run(start())
    yield relay
    loop.run(relay.close())
    assert not psutil.pid_exists(relay.pid)


@pytest.fixture
def reach(loop: Any, relay: RelayProcess, store: str) -> Iterator[Reach]:
    """A connection to the store from an environment with this name."""
    addresses: dict[str, str] = {}
    connections: list[Connection] = []

    def connect(environment: str = "f 1", seconds: float = 0.0, mb_per_second: float = 0.0) -> Connection:
        if environment not in addresses:
            network = StoreNetwork([store], seconds, mb_per_second)
            addresses[environment] = loop.run(relay.open(environment, network))[store]
        connections.append(Connection(addresses[environment], password=PASSWORD, timeout=10))
        connections[-1].call("PING")
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()


def timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


@pytest.mark.parametrize("seconds", [0.0005, 0.003])
def test_a_round_trip_takes_what_was_asked_for(reach: Reach, seconds: float) -> None:
    connection = reach(seconds=seconds)
    times = [timed(lambda: connection.call("PING")) for _ in range(100)]
    assert min(times) >= seconds
    assert min(times) < seconds + 0.0005


def test_a_pipeline_waits_once(reach: Reach) -> None:
    connection = reach(seconds=0.02)
    times = [timed(lambda: connection.pipeline([["PING"]] * 500)) for _ in range(3)]
    assert min(times) >= 0.02
    assert min(times) < 0.04


def test_a_connection_takes_a_round_trip_to_be_made(reach: Reach) -> None:
    """And the password one more."""
    reach(seconds=0.05)
    assert timed(lambda: reach(seconds=0.05)) >= 0.15


def test_bandwidth_is_an_environments_and_not_a_connections(reach: Reach) -> None:
    data = b"x" * (2 * MB)
    first, second = reach("f 1", mb_per_second=20), reach("f 1")
    other = reach("f 2", mb_per_second=20)
    assert timed(lambda: first.call("SET", "a", data)) >= 0.1
    assert timed(lambda: first.call("GET", "a")) >= 0.1

    def together(*connections: Connection) -> float:
        threads = [threading.Thread(target=each.call, args=("GET", "a")) for each in connections]

        def run() -> None:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        return timed(run)

    assert together(first, second) >= 0.2
    assert min(together(first, other) for _ in range(5)) < 0.19


def test_what_passes_is_whole(reach: Reach) -> None:
    connection = reach(seconds=0.001, mb_per_second=500)
    data = os.urandom(20 * MB)
    connection.call("SET", "b", data)
    assert connection.call("GET", "b") == data
    buffer = memoryview(bytearray(len(data)))
    connection.read_into(["b"], [buffer])
    assert buffer == data


def test_a_store_that_is_not_there_is_told_at_once(loop: Any, relay: RelayProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        absent = f"127.0.0.1:{free.getsockname()[1]}"
    address = loop.run(relay.open("f 1", StoreNetwork([absent], 0.001, 0)))[absent]
    with pytest.raises(ClusterUnavailable):
        Connection(address, timeout=10).call("PING")


def test_an_environments_ports_end_with_it(loop: Any, relay: RelayProcess, reach: Reach) -> None:
    connection = reach("f 1", seconds=0.001)
    loop.run(relay.drop("f 1"))
    loop.run(relay.drop("f 1"))
    with pytest.raises(ClusterUnavailable):
        connection.call("PING")
    with pytest.raises(ClusterUnavailable, match="cannot connect"):
        connection.call("PING")
    assert reach("f 2", seconds=0.001).call("PING") == b"PONG"


def test_a_relay_that_died_is_an_unavailable_provider(loop: Any, relay: RelayProcess, store: str) -> None:
    psutil.Process(relay.pid).kill()

    async def open_until_refused() -> None:
        for number in range(100):
            await relay.open(f"f {number}", StoreNetwork([store], 0.001, 0))
            await asyncio.sleep(0)

    with pytest.raises(ProviderUnavailable, match="has ended"):
        loop.run(open_until_refused())


def test_environments_are_told_their_own_addresses(emulate: Emulate, store: str) -> None:
    variable = "WUKONG_STORE_ADDRESSES"
    slow = emulate("variables", stores=[store], store_seconds=0.01, concurrency=2)
    seen = json.loads(slow.invoke([variable])["Payload"][variable])
    connection = Connection(seen[store], password=PASSWORD)
    assert timed(lambda: connection.call("PING")) >= 0.01
    connection.close()
    assert len(slow.service.relays()) == 1


def test_without_latency_there_is_no_relay(emulate: Emulate, store: str) -> None:
    plain = emulate("variables", stores=[store])
    assert plain.invoke(["WUKONG_STORE_ADDRESSES"])["Payload"] == {"WUKONG_STORE_ADDRESSES": None}
    assert plain.service.relays() == []
