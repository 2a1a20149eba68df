"""Small values that are stored together."""

from __future__ import annotations

import numpy as np
import pytest

from wukong.errors import ValueRefused
from wukong.kvs.redis import RedisKvs
from wukong.kvs.ring import Node, Ring
from wukong.kvs.store import Kvs, ValueMissing
from wukong.testing.kvs import MemoryKvs
from wukong.values import mark
from wukong.values.signing import Signer
from wukong.values.values import Values

VALUES = [None, 7, "text", np.arange(1000.0), {"a": [1, 2]}, b"", np.zeros((0, 3))]


@pytest.fixture
def values(valkey_or_memory: list[str], valkey_password: str) -> Values:
    addresses = valkey_or_memory
    kvs: Kvs = MemoryKvs()
    if addresses:
        ring = Ring(1, tuple(Node(str(number), address) for number, address in enumerate(addresses)))
        kvs = RedisKvs(ring, password=valkey_password)
    return Values(kvs, Signer(b"k" * 16))


def stored(values: Values) -> list[bytes]:
    items = [(str(number), values.pack(value)) for number, value in enumerate(VALUES)]
    return values.bundle("job", items, "token", 60)


def test_each_value_comes_back_and_the_bundle_is_read_once(values: Values) -> None:
    marks = stored(values)
    before = values.kvs.counters().bytes_read
    found = values.load_many([("job", str(number), of) for number, of in enumerate(marks)])
    once = values.kvs.counters().bytes_read - before
    for left, right in zip(found, VALUES, strict=True):
        np.testing.assert_equal(left, right)
    assert 8000 < once < 16_000
    assert found[3].flags.writeable
    assert values.load("job", "1", marks[1]) == 7
    assert values.nbytes(marks[3]) > 8000
    values.kvs.close()


def test_a_tiny_bundle_needs_no_place(values: Values) -> None:
    marks = values.bundle("job", [("1", values.pack((1, 2))), ("2", values.pack(None))], "token", 60)
    assert values.kvs.counters().bytes_written == 0
    assert values.load_many([("job", "1", marks[0]), ("job", "2", marks[1])]) == [(1, 2), None]
    values.kvs.close()


@pytest.mark.parametrize("number", range(len(VALUES)))
def test_a_value_that_is_stored_apart_is_in_the_kvs_however_small(values: Values, number: int) -> None:
    packed = values.pack(VALUES[number])
    of = values.store_apart("job", "1", packed, "token", 60)
    assert values.kvs.counters().bytes_written > 0
    before = values.kvs.counters().bytes_read
    np.testing.assert_equal(values.load("job", "1", of), VALUES[number])
    assert values.kvs.counters().bytes_read > before
    values.kvs.purge("job")
    with pytest.raises(ValueMissing):
        values.load("job", "1", of)
    values.kvs.close()


def test_a_part_of_another_name_job_or_bundle_is_refused(values: Values) -> None:
    marks = stored(values)
    with pytest.raises(ValueRefused):
        values.load("job", "4", marks[3])
    with pytest.raises(ValueRefused):
        values.load("other", "3", marks[3])
    single = values.store("job", "9", values.pack(np.arange(1000)), "token", 60)
    with pytest.raises(ValueRefused, match="no bundle"):
        values.load("job", "9", mark.part_mark(mark.Part(0, 10, single)))
    with pytest.raises(ValueRefused):
        values.load("job", "3", marks[3][:10])
    values.kvs.close()
