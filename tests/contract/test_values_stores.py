"""Values on every KVS: the one in memory, and the one on two real nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest

from wukong.errors import ValueRefused
from wukong.kvs import keys
from wukong.kvs.redis import RedisKvs
from wukong.kvs.ring import Node, Ring
from wukong.kvs.store import ValueMissing
from wukong.kvs.striping import STRIPE
from wukong.redis import Connection
from wukong.testing.kvs import MemoryKvs
from wukong.values.receiver import Receiver
from wukong.values.signing import Signer
from wukong.values.values import Values

MINUTE = 60.0


@pytest.fixture
def values(valkey_or_memory: list[str], valkey_password: str) -> Iterator[Values]:
    if valkey_or_memory:
        nodes = tuple(Node(f"n{number}", address) for number, address in enumerate(valkey_or_memory))
        kvs: RedisKvs | MemoryKvs = RedisKvs(Ring(1, nodes), password=valkey_password)
    else:
        kvs = MemoryKvs()
    yield Values(kvs, Signer(bytes(32)))
    kvs.close()


@pytest.mark.parametrize("count", [0, 1, 512, 513, STRIPE // 8 - 1, STRIPE // 8, STRIPE // 8 + 1, 5_000_000])
def test_arrays_around_every_border_come_back_and_can_be_written_to(values: Values, count: int) -> None:
    array = np.arange(count, dtype=float)
    mark = values.store("job", "x", values.pack(array), "t", MINUTE)
    back: Any = values.load("job", "x", mark)
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)
    back += 1


def test_frames_and_nested_values_come_back(values: Values) -> None:
    frame = pd.DataFrame({"a": np.arange(500_000), "b": [str(n) for n in range(500_000)]})
    value = {"frame": frame, "parts": [np.full((n, 3), n) for n in range(3000)], "text": "x" * 3_000_000}
    back: Any = values.load("job", "x", values.store("job", "x", values.pack(value), "t", MINUTE))
    pd.testing.assert_frame_equal(back["frame"], frame)
    assert all(np.array_equal(one, other) for one, other in zip(value["parts"], back["parts"], strict=True))
    assert back["text"] == value["text"]


def test_many_values_come_in_one_round_trip_to_each_node(values: Values) -> None:
    items = [
        ("job", str(n), values.store("job", str(n), values.pack(np.full(2000, n)), "t", MINUTE)) for n in range(300)
    ]
    before = values.kvs.counters().round_trips
    found: list[Any] = values.load_many(items)
    # 128 keys are asked for at once.
    assert values.kvs.counters().round_trips - before <= 4
    assert [array[0] for array in found] == list(range(300))


def test_a_value_goes_up_and_down_in_pieces(values: Values) -> None:
    value: list[Any] = [np.arange(3_000_000.0), np.arange(100_001, dtype="i1"), {n: n for n in range(10_000)}]
    packed = values.pack(value)
    upload = values.upload("in:abc", "value", "t", len(packed.pickle), packed.lengths(), MINUTE)
    whole = b"".join([packed.pickle, *packed.buffers])
    for start in range(0, len(whole), 1_000_000):
        upload.write(whole[start : start + 1_000_000])
    source = values.download("job", "3", upload.close())
    receiver = Receiver(source.pickle_length, source.lengths)
    while data := source.read(receiver.received, 777_777):
        receiver.write(data)
    back: Any = receiver.value()
    assert np.array_equal(back[0], value[0])
    assert np.array_equal(back[1], value[1])
    assert back[2] == value[2]


def test_what_was_changed_or_lost_in_a_real_store_is_not_unpickled(valkey_address: str, valkey_password: str) -> None:
    kvs = RedisKvs(Ring(1, (Node("a", valkey_address),)), password=valkey_password)
    values = Values(kvs, Signer(bytes(32)))
    value = {n: str(n) for n in range(1000)}
    mark = values.store("job", "x", values.pack(value), "t", MINUTE)
    connection = Connection(valkey_address, password=valkey_password)
    key = keys.stripe("job", "x", "t", 0)
    connection.call("SETRANGE", key, 100, "evil")
    with pytest.raises(ValueRefused, match="changed"):
        values.load("job", "x", mark)
    connection.call("APPEND", key, "more")
    with pytest.raises(ValueRefused):
        values.load("job", "x", mark)
    connection.call("DEL", key)
    with pytest.raises(ValueMissing):
        values.load("job", "x", mark)
    connection.close()
    kvs.close()
