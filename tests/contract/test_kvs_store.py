"""What every KVS promises: the one in memory, and the one on two real nodes."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from wukong.errors import ClusterUnavailable, StoreFull, ValueRefused
from wukong.kvs import keys
from wukong.kvs.redis import RedisKvs
from wukong.kvs.ring import Node, Ring
from wukong.kvs.store import Kvs, Place, ValueMissing
from wukong.kvs.striping import STRIPE
from wukong.redis import Buffer, Connection, ReplyError
from wukong.testing.kvs import MemoryKvs

MINUTE = 60.0


def _two_nodes(addresses: list[str], password: str) -> RedisKvs:
    return RedisKvs(Ring(1, (Node("a", addresses[0]), Node("b", addresses[1]))), password=password)


@pytest.fixture
def kvs(valkey_or_memory: list[str], valkey_password: str) -> Iterator[Kvs]:
    kvs = _two_nodes(valkey_or_memory, valkey_password) if valkey_or_memory else MemoryKvs()
    yield kvs
    kvs.close()


@pytest.fixture
def two_nodes(valkey_addresses: list[str], valkey_password: str) -> Iterator[RedisKvs]:
    kvs = _two_nodes(valkey_addresses, valkey_password)
    yield kvs
    kvs.close()


@pytest.mark.parametrize("nbytes", [0, 1, 1000, STRIPE - 1, STRIPE, STRIPE + 1, 2 * STRIPE + 12345])
def test_a_stream_comes_back_whole(kvs: Kvs, nbytes: int) -> None:
    data = np.random.default_rng(nbytes).bytes(nbytes)
    kvs.put("job", "x", "t", [data], MINUTE)
    stream = kvs.get("job", "x", "t", nbytes)
    assert stream == data
    assert not stream.readonly


def test_pieces_of_any_size_and_type_are_one_stream(kvs: Kvs) -> None:
    blob = os.urandom(STRIPE)
    pieces: list[Buffer] = [b"", b"abc", bytearray(blob), memoryview(blob)[7:], b"", b"end", memoryview(np.arange(9))]  # type: ignore[arg-type]
    whole = b"".join(memoryview(piece).tobytes() for piece in pieces)
    kvs.put("job", "x", "t", pieces, MINUTE)
    assert kvs.get("job", "x", "t", len(whole)) == whole


def test_a_received_buffer_is_aligned(kvs: Kvs) -> None:
    for nbytes in (1, 100, 5000, 1 << 20):
        kvs.put("job", str(nbytes), "t", [bytes(nbytes)], MINUTE)
        assert np.frombuffer(kvs.get("job", str(nbytes), "t", nbytes), np.uint8).ctypes.data % 64 == 0


def test_owners_names_and_tokens_are_apart(kvs: Kvs) -> None:
    places = list(itertools.product(("job", "in:abc"), ("x", "y"), ("t", "u")))
    for place in places:
        kvs.put(*place, [repr(place).encode()], MINUTE)
    for place in places:
        assert kvs.get(*place, len(repr(place))) == repr(place).encode()


def test_many_streams_come_in_the_order_asked(kvs: Kvs) -> None:
    sizes = [0, 10, 3, STRIPE + 5, 100_000, 0, 1]
    data = [os.urandom(size) for size in sizes]
    for number, stream in enumerate(data):
        kvs.put("job", str(number), "t", [stream], MINUTE)
    before = kvs.counters().round_trips
    found = kvs.get_many([Place("job", str(number), "t", size) for number, size in enumerate(sizes)])
    assert found == data
    assert kvs.counters().round_trips - before <= 2
    assert kvs.get_many([]) == []


def test_nothing_of_an_empty_stream_is_asked_for(kvs: Kvs) -> None:
    before = kvs.counters().round_trips
    kvs.put("job", "x", "t", [], MINUTE)
    assert len(kvs.get("job", "x", "t", 0)) == 0
    assert kvs.counters().round_trips == before


def test_a_value_that_is_missing_is_named(kvs: Kvs) -> None:
    kvs.put("job", "x", "t", [b"data"], MINUTE)
    for ask in (
        lambda: kvs.get("job", "x", "other", 4),
        lambda: kvs.get_many([Place("job", "x", "t", 4), Place("job", "x", "other", 4)]),
        lambda: kvs.read("job", "x", "other", 4, 0, 4),
    ):
        with pytest.raises(ValueMissing) as caught:
            ask()
        assert (caught.value.owner, caught.value.name) == ("job", "x")


def test_a_missing_stripe_makes_the_value_missing(two_nodes: RedisKvs, valkey_password: str) -> None:
    nbytes = 4 * STRIPE
    two_nodes.put("job", "x", "t", [bytes(nbytes)], MINUTE)
    key = keys.stripe("job", "x", "t", 2)
    connection = Connection(two_nodes.ring.place(key).address, password=valkey_password)
    assert connection.call("DEL", key) == 1
    connection.close()
    with pytest.raises(ValueMissing):
        two_nodes.get("job", "x", "t", nbytes)
    assert len(two_nodes.read("job", "x", "t", nbytes, 0, 100)) == 100
    with pytest.raises(ValueMissing):
        two_nodes.read("job", "x", "t", nbytes, 2 * STRIPE - 1, 2)


def test_it_is_told_whether_a_stream_is_there(kvs: Kvs) -> None:
    kvs.put("job", "x", "t", [bytes(2 * STRIPE + 5)], MINUTE)
    assert kvs.has(Place("job", "x", "t", 2 * STRIPE + 5))
    assert kvs.has(Place("job", "empty", "t", 0))
    assert not kvs.has(Place("job", "x", "u", 2 * STRIPE + 5))
    assert not kvs.has(Place("job", "x", "t", 4 * STRIPE))


def test_a_stream_of_another_length_is_refused(kvs: Kvs) -> None:
    kvs.put("job", "x", "t", [b"0123456789"], MINUTE)
    for nbytes in (9, 11):
        with pytest.raises(ValueRefused):
            kvs.get("job", "x", "t", nbytes)
    with pytest.raises(ValueRefused):
        kvs.read("job", "x", "t", 11, 0, 11)


def test_writing_again_replaces(kvs: Kvs) -> None:
    kvs.put("job", "x", "t", [b"one"], MINUTE)
    kvs.put("job", "x", "t", [b"two"], MINUTE)
    assert kvs.get("job", "x", "t", 3).tobytes() == b"two"


def test_values_expire(kvs: Kvs) -> None:
    kvs.put("job", "short", "t", [b"data"], 0.05)
    kvs.put("job", "long", "t", [b"data"], MINUTE)
    deadline = time.monotonic() + 10
    while True:
        try:
            kvs.get("job", "short", "t", 4)
        except ValueMissing:
            break
        assert time.monotonic() < deadline
    assert kvs.get("job", "long", "t", 4).tobytes() == b"data"
    assert kvs.purge("job") == 1


def test_what_is_prolonged_outlives_what_is_not(kvs: Kvs) -> None:
    kvs.put("kept", "x", "t", [b"kept"], 0.3)
    kvs.put("other", "x", "t", [b"gone"], 0.3)
    kvs.prolong("kept", MINUTE)
    kvs.prolong("kept", 0.1)
    kvs.prolong("unknown", MINUTE)
    deadline = time.monotonic() + 10
    while True:
        try:
            kvs.get("other", "x", "t", 4)
        except ValueMissing:
            break
        assert time.monotonic() < deadline
    assert kvs.get("kept", "x", "t", 4).tobytes() == b"kept"
    assert kvs.purge("kept") == 1


def test_every_key_has_a_time_to_live(two_nodes: RedisKvs, valkey_password: str) -> None:
    two_nodes.put("job", "x", "t", [bytes(4 * STRIPE)], 100.0)
    two_nodes.put("job", "y", "t", [b"y"], 50.0)
    left: dict[bytes, int] = {}
    for node in two_nodes.ring.nodes:
        connection = Connection(node.address, password=valkey_password)
        for key in connection.call("KEYS", "*"):  # type: ignore[union-attr]
            left[key] = connection.call("PTTL", key)  # type: ignore[assignment,arg-type,index]
        connection.close()
    assert len([key for key in left if key != b"w:job:k"]) == 5
    assert all(0 < milliseconds <= 100_000 for milliseconds in left.values())
    assert left[b"w:job:k"] > 50_000


def test_a_purge_removes_all_of_one_owner(kvs: Kvs) -> None:
    for number in range(1500):
        kvs.put("job", str(number), "t", [b"x"], MINUTE)
    kvs.put("job", "large", "t", [bytes(2 * STRIPE)], MINUTE)
    kvs.put("job2", "x", "t", [b"mine"], MINUTE)
    assert kvs.purge("job") == 1502
    assert kvs.purge("job") == 0
    with pytest.raises(ValueMissing):
        kvs.get("job", "7", "t", 1)
    assert kvs.get("job2", "x", "t", 4).tobytes() == b"mine"


def test_what_is_freed_is_gone_and_nothing_else(kvs: Kvs) -> None:
    sizes = {"a": 10, "b": 2 * STRIPE + 5, "c": 3, "d": 0}
    for name, size in sizes.items():
        for token in "tu":
            kvs.put("job", name, token, [bytes(size)], MINUTE)
    freed = [Place("job", name, "t", size) for name, size in sizes.items() if name != "c"]
    assert kvs.free(freed) == 4
    assert kvs.free([*freed, Place("unknown", "a", "t", 10)]) == 0
    for name in "ab":
        with pytest.raises(ValueMissing):
            kvs.get("job", name, "t", sizes[name])
        assert len(kvs.get("job", name, "u", sizes[name])) == sizes[name]
    assert len(kvs.get("job", "c", "t", 3)) == 3
    assert kvs.purge("job") == 6


def test_what_nobody_needs_is_collected(kvs: Kvs) -> None:
    for name in ("a:b", "bundle-1"):
        for token in "tu":
            kvs.put("job", name, token, [bytes(STRIPE + 5)], MINUTE)
    kvs.put("other", "a:b", "t", [b"x"], MINUTE)

    def needed() -> Callable[[str, str], bool]:
        kvs.put("job", "late", "t", [b"x"], MINUTE)
        return lambda name, token: token == "u" or name == "bundle-1"

    assert kvs.collect("job", needed) == 2
    with pytest.raises(ValueMissing):
        kvs.get("job", "a:b", "t", STRIPE + 5)
    assert kvs.purge("job") == 7
    assert kvs.purge("other") == 1


def test_what_is_freed_is_found_on_whatever_node_it_is(two_nodes: RedisKvs, valkey_password: str) -> None:
    first, _ = two_nodes.ring.nodes
    names = placed(two_nodes, first.id)[:5]
    with limited(first.address, valkey_password, 1_000_000):
        for name in names:
            two_nodes.put("job", name, "t", [name.encode() * 1_000_000], MINUTE)
    assert two_nodes.free([Place("job", name, "t", len(name) * 1_000_000) for name in names]) == 5
    empty(two_nodes, valkey_password)


def test_a_purge_leaves_no_key(two_nodes: RedisKvs, valkey_password: str) -> None:
    two_nodes.put("job", "x", "t", [bytes(3 * STRIPE)], MINUTE)
    two_nodes.purge("job")
    empty(two_nodes, valkey_password)


def empty(kvs: RedisKvs, password: str) -> None:
    """No node has any key."""
    for node in kvs.ring.nodes:
        connection = Connection(node.address, password=password)
        assert connection.call("DBSIZE") == 0
        connection.close()


def test_a_writer_stores_as_it_goes(kvs: Kvs) -> None:
    data = os.urandom(2 * STRIPE + 99)
    writer = kvs.writer("job", "x", "t", len(data), MINUTE)
    for start in range(0, len(data), 1_000_003):
        writer.write(data[start : start + 1_000_003])
        if start > STRIPE + 2_000_000:
            assert kvs.read("job", "x", "t", len(data), 0, 10) == data[:10]
    writer.close()
    assert kvs.get("job", "x", "t", len(data)) == data


def test_a_writer_refuses_more_and_fewer_bytes_than_announced(kvs: Kvs) -> None:
    writer = kvs.writer("job", "x", "t", 10, MINUTE)
    writer.write(b"12345")
    with pytest.raises(ValueRefused, match="10"):
        writer.close()
    with pytest.raises(ValueRefused, match="10"):
        writer.write(b"678901")


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, 1), (0, 10**9), (STRIPE - 3, 6), (STRIPE, STRIPE), (STRIPE + 50, 1000), (STRIPE + 100, 5)],
)
def test_a_range_of_a_stream(kvs: Kvs, offset: int, length: int) -> None:
    data = np.random.default_rng(0).bytes(STRIPE + 100)
    kvs.put("job", "x", "t", [data], MINUTE)
    assert kvs.read("job", "x", "t", len(data), offset, length) == data[offset : offset + length]


def test_counters_grow_with_what_moves(kvs: Kvs) -> None:
    kvs.put("job", "x", "t", [bytes(100_000)], MINUTE)
    kvs.get("job", "x", "t", 100_000)
    counters = kvs.counters()
    assert counters.round_trips == 2
    assert 100_000 <= counters.bytes_read < 101_000
    assert 100_000 <= counters.bytes_written < 101_000


def test_threads_share_a_store(kvs: Kvs) -> None:
    start = threading.Barrier(8)

    def work(number: int) -> bool:
        start.wait(10)
        data = os.urandom(50_000)
        for turn in range(20):
            kvs.put("job", f"{number}", str(turn), [data, b"%d" % turn], MINUTE)
            if kvs.get("job", f"{number}", str(turn), 50_000 + len(str(turn))) != data + b"%d" % turn:
                return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(8)))


@contextmanager
def limited(address: str, password: str, nbytes: int) -> Iterator[None]:
    """A node with a limit of so many bytes."""
    connection = Connection(address, password=password)
    connection.call("CONFIG", "SET", "maxmemory", nbytes)
    try:
        yield
    finally:
        connection.call("CONFIG", "SET", "maxmemory", 0)
        connection.close()


def test_a_full_node_is_told(valkey_address: str, valkey_password: str) -> None:
    kvs = RedisKvs(Ring(1, (Node("a", valkey_address),)), password=valkey_password)
    with limited(valkey_address, valkey_password, 1_000_000), pytest.raises(StoreFull) as caught:
        kvs.put("job", "x", "t", [bytes(4_000_000)], MINUTE)
    full = caught.value
    assert (full.node, full.address, full.name, full.nbytes) == ("a", valkey_address, "x", 4_000_000)
    assert (full.maximum, full.value) == (1_000_000, full.stored + 4_000_000)
    assert 0 < full.stored < 10_000_000
    kvs.put("job", "x", "t", [bytes(4_000_000)], MINUTE)
    assert kvs.purge("job") == 1
    kvs.close()


def test_a_full_node_is_freed_and_purged(valkey_address: str, valkey_password: str) -> None:
    kvs = RedisKvs(Ring(1, (Node("a", valkey_address),)), password=valkey_password)
    for name in "xyz":
        kvs.put("job", name, "t", [bytes(1_000_000)], MINUTE)
    with limited(valkey_address, valkey_password, 1):
        assert kvs.free([Place("job", "x", "t", 1_000_000)]) == 1
        assert kvs.collect("job", lambda: lambda name, token: name == "z") == 1
        assert kvs.purge("job") == 1
    empty(kvs, valkey_password)
    kvs.close()


def test_an_index_that_is_none_is_told(valkey_address: str, valkey_password: str) -> None:
    kvs = RedisKvs(Ring(1, (Node("a", valkey_address),)), password=valkey_password)
    connection = Connection(valkey_address, password=valkey_password)
    connection.call("SET", keys.index("job"), "x")
    with pytest.raises(ReplyError, match="WRONGTYPE"):
        kvs.put("job", "x", "t", [b"x"], MINUTE)
    connection.close()
    kvs.close()


def test_what_a_full_node_does_not_take_is_on_the_next_one(two_nodes: RedisKvs, valkey_password: str) -> None:
    first, second = two_nodes.ring.nodes
    names = placed(two_nodes, first.id)[:5]
    with limited(first.address, valkey_password, 1_000_000):
        for name in names:
            two_nodes.put("job", name, "t", [name.encode() * 1_000_000], MINUTE)
        places = [Place("job", name, "t", len(name) * 1_000_000) for name in names]
        for name, value in zip(names, two_nodes.get_many(places), strict=True):
            assert value == name.encode() * 1_000_000
        with limited(second.address, valkey_password, 1_000_000), pytest.raises(StoreFull, match="the KVS is full"):
            two_nodes.put("job", names[0], "u", [bytes(1_000_000)], MINUTE)
    assert two_nodes.purge("job") == len(names)
    empty(two_nodes, valkey_password)


# Nothing listens on port 1.
GONE = Node("gone", "127.0.0.1:1")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wukong.kvs.nodes.PATIENCE", 0.05)


@pytest.fixture
def half_gone(impatient: None, valkey_address: str, valkey_password: str) -> Iterator[RedisKvs]:
    """Of two nodes only one answers."""
    kvs = RedisKvs(Ring(1, (GONE, Node("here", valkey_address))), password=valkey_password)
    yield kvs
    kvs.close()


def placed(kvs: RedisKvs, node: str) -> list[str]:
    """Names of values that belong on a node."""
    return [str(n) for n in range(100) if kvs.ring.place(keys.stripe("job", str(n), "t", 0)).id == node]


def test_a_node_that_is_gone_is_told_when_purging_and_the_others_are_purged(half_gone: RedisKvs) -> None:
    half_gone.put("job", "x", "t", [b"x"], MINUTE)
    with pytest.raises(ClusterUnavailable, match=r"127\.0\.0\.1:1"):
        half_gone.purge("job")
    with pytest.raises(ValueMissing):
        half_gone.get("job", "x", "t", 1)


def test_what_belongs_on_a_node_that_is_gone_is_on_another(half_gone: RedisKvs) -> None:
    here, gone = placed(half_gone, "here")[0], placed(half_gone, "gone")[0]
    half_gone.put("job", gone, "t", [b"abc"], MINUTE)
    half_gone.put("job", here, "t", [b"def"], MINUTE)
    places = [Place("job", name, "t", 3) for name in (gone, here)]
    assert list(map(bytes, half_gone.get_many(places))) == [b"abc", b"def"]
    assert bytes(half_gone.read("job", gone, "t", 3, 1, 2)) == b"bc"


def test_what_was_on_a_node_that_is_gone_is_missing(half_gone: RedisKvs) -> None:
    here, gone = placed(half_gone, "here")[0], placed(half_gone, "gone")[0]
    half_gone.put("job", here, "t", [b"x"], MINUTE)
    for read in (
        lambda: half_gone.get_many([Place("job", here, "t", 1), Place("job", gone, "t", 1)]),
        lambda: half_gone.read("job", gone, "t", 1, 0, 1),
    ):
        with pytest.raises(ValueMissing) as caught:
            read()
        assert caught.value.name == gone


def test_what_was_written_elsewhere_while_a_node_was_away_is_found(
    two_nodes: RedisKvs, valkey_password: str, impatient: None
) -> None:
    first, second = two_nodes.ring.nodes
    away = RedisKvs(Ring(1, (Node(first.id, GONE.address), second)), password=valkey_password)
    names = [str(n) for n in range(300)]  # more than one window of a connection's reads
    for name in names:
        away.put("job", name, "t", [name.encode()], MINUTE)
    away.close()
    found = two_nodes.get_many([Place("job", name, "t", len(name)) for name in names])
    assert [bytes(value).decode() for value in found] == names
    assert bytes(two_nodes.read("job", "299", "t", 3, 0, 3)) == b"299"


@pytest.mark.parametrize("former", [GONE, Node("here", GONE.address)], ids=["another", "moved"])
def test_what_no_node_of_the_ring_takes_goes_on_to_the_newest_ring(
    impatient: None, valkey_addresses: list[str], valkey_password: str, former: Node
) -> None:
    newest = Ring(2, (Node("here", valkey_addresses[0]), Node("there", valkey_addresses[1])))
    stores = [RedisKvs(Ring(1, (former,)), password=valkey_password, newest=lambda: newest) for _ in range(2)]
    writer, reader = stores
    names = [str(number) for number in range(20)]
    for name in names:
        writer.put("job", name, "t", [name.encode()], MINUTE)
    found = reader.get_many([Place("job", name, "t", len(name)) for name in names])
    assert [bytes(value).decode() for value in found] == names
    assert bytes(reader.read("job", "19", "t", 2, 1, 1)) == b"9"
    assert reader.has(Place("job", "19", "t", 2))
    assert reader.free([Place("job", "19", "t", 2)]) == 1
    assert not writer.has(Place("job", "19", "t", 2))
    assert reader.collect("job", lambda: lambda name, token: name != "18") == 1
    with pytest.raises(ClusterUnavailable, match=r"127\.0\.0\.1:1"):
        writer.purge("job")
    for address in valkey_addresses:
        with contextlib.closing(Connection(address, password=valkey_password)) as node:
            assert node.call("KEYS", "*job*") == []
    for store in stores:
        store.close()


def test_the_newest_ring_is_not_asked_for_while_the_pinned_one_does(valkey_address: str, valkey_password: str) -> None:
    asked: list[bool] = []
    kvs = RedisKvs(
        Ring(1, (Node("here", valkey_address),)), password=valkey_password, newest=lambda: asked.append(True)
    )
    kvs.put("job", "x", "t", [b"x"], MINUTE)
    assert bytes(kvs.get("job", "x", "t", 1)) == b"x"
    assert kvs.has(Place("job", "x", "t", 1))
    assert asked == []
    with pytest.raises(ValueMissing):
        kvs.get("job", "y", "t", 1)
    assert asked == [True]
    kvs.close()


def test_what_stays_where_it_was_pinned_is_found_when_the_node_is_in_the_newest_ring_no_more(
    two_nodes: RedisKvs, valkey_addresses: list[str], valkey_password: str
) -> None:
    two_nodes.put("job", "x", "t", [b"x"], MINUTE)
    newest = Ring(2, (Node("b", valkey_addresses[1]),))
    kvs = RedisKvs(two_nodes.ring, password=valkey_password, newest=lambda: newest)
    assert bytes(kvs.get("job", "x", "t", 1)) == b"x"
    kvs.close()


def test_when_no_node_answers_that_is_told(impatient: None) -> None:
    kvs = RedisKvs(Ring(1, (GONE, Node("too", "127.0.0.1:2"))), password="")
    for call in (
        lambda: kvs.get("job", "x", "t", 1),
        lambda: kvs.read("job", "x", "t", 1, 0, 1),
        lambda: kvs.put("job", "x", "t", [b"x"], MINUTE),
        lambda: kvs.purge("job"),
    ):
        with pytest.raises(ClusterUnavailable, match=r"127\.0\.0\.1:[12]"):
            call()
    kvs.close()
