"""What a large value costs in memory on its way to real nodes and back: nothing there, and itself here.

Counted is what Python and NumPy ask for; the nodes are other processes.
"""

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest

from wukong.kvs.redis import RedisKvs
from wukong.kvs.ring import Node, Ring
from wukong.kvs.striping import STRIPE, Striping
from wukong.redis.connection import VECTOR
from wukong.values.signing import Signer
from wukong.values.values import Values

MINUTE = 60.0
MIB = 1 << 20
#: What the way takes beside the value: commands, replies, threads.
CONSTANT = MIB


@pytest.fixture(params=[1, 2], ids=["one node", "two nodes"])
def values(request: pytest.FixtureRequest, valkey_addresses: list[str], valkey_password: str) -> Iterator[Values]:
    nodes = tuple(Node(f"n{number}", address) for number, address in enumerate(valkey_addresses[: request.param]))
    # Short stripes, so that each node gets several.
    kvs = RedisKvs(Ring(1, nodes), password=valkey_password, striping=Striping(whole_bytes=4 * MIB))
    yield Values(kvs, Signer(bytes(32)))
    kvs.close()


class Peak:
    """The most bytes beyond those at the start."""

    nbytes = 0


@contextmanager
def measured() -> Iterator[Peak]:
    peak = Peak()
    tracemalloc.start()
    try:
        start, _ = tracemalloc.get_traced_memory()
        yield peak
        peak.nbytes = tracemalloc.get_traced_memory()[1] - start
    finally:
        tracemalloc.stop()


def there(values: Values, value: object) -> tuple[bytes, int]:
    """The mark of a value that was packed and stored, and what that took."""
    with measured() as peak:
        mark = values.store("job", "x", values.pack(value), "t", MINUTE)
    return mark, peak.nbytes


def back(values: Values, mark: bytes) -> tuple[Any, int]:
    """A value, and what it took to load it."""
    with measured() as peak:
        value = values.load("job", "x", mark)
    return value, peak.nbytes


GRID = np.arange(24 * MIB // 8, dtype=float).reshape(3072, 1024)


@pytest.mark.parametrize(
    "value",
    [GRID, GRID.T, GRID.astype("datetime64[s]"), [GRID[:1024], {"rest": GRID[1024:]}]],
    ids=["rows", "columns", "dates", "nested"],
)
def test_an_array_goes_without_a_copy_and_comes_into_its_own_memory(values: Values, value: Any) -> None:
    mark, put = there(values, value)
    assert put < CONSTANT
    found, get = back(values, mark)
    assert get < GRID.nbytes + CONSTANT
    if isinstance(value, list):
        value, found = [value[0], value[1]["rest"]], [found[0], found[1]["rest"]]
    for one, other in zip(value, found, strict=True):
        assert np.array_equal(one, other)
        other[0] = other[-1]  # it can be written to


def test_a_frame_of_numbers_goes_without_a_copy(values: Values) -> None:
    frame = pd.DataFrame(GRID)
    mark, put = there(values, frame)
    assert put < CONSTANT
    found, get = back(values, mark)
    assert get < GRID.nbytes + CONSTANT
    pd.testing.assert_frame_equal(found, frame)


def test_bytes_go_without_a_copy_and_are_copied_once_where_they_come(values: Values) -> None:
    blob = GRID.tobytes()
    mark, put = there(values, blob)
    assert put < CONSTANT
    found, get = back(values, mark)
    assert get < 2 * GRID.nbytes + CONSTANT
    assert found == blob


def test_an_array_with_gaps_is_copied_once_on_its_way(values: Values) -> None:
    gaps = GRID[:, ::2]
    mark, put = there(values, gaps)
    assert put < gaps.nbytes + CONSTANT
    found, get = back(values, mark)
    assert get < gaps.nbytes + CONSTANT
    assert np.array_equal(found, gaps)
    found += 1


def test_an_array_that_cannot_be_written_to_stays_so(values: Values) -> None:
    constant = GRID.copy()
    constant.flags.writeable = False
    mark, put = there(values, constant)
    assert put < CONSTANT
    found, _ = back(values, mark)
    assert np.array_equal(found, constant)
    assert not found.flags.writeable


def test_more_buffers_than_a_system_call_takes_go_from_where_they_are(values: Values) -> None:
    # None is a multiple of the alignment, so there is padding behind each.
    many = [np.full(16_401, number % 251, np.uint8) for number in range(VECTOR + 500)]
    mark, put = there(values, many)
    assert put < 4 * CONSTANT  # views of each, some hundred bytes
    found, get = back(values, mark)
    assert get < sum(array.nbytes for array in many) + 4 * CONSTANT
    assert all(np.array_equal(one, other) for one, other in zip(many, found, strict=True))


def test_small_buffers_are_joined_a_stripe_at_a_time(values: Values) -> None:
    many = [np.full(5000, number % 251, np.uint8) for number in range(4000)]
    mark, put = there(values, many)
    assert put < 2 * 4 * MIB + 8 * CONSTANT  # of each node, and views
    found, _ = back(values, mark)
    assert all(np.array_equal(one, other) for one, other in zip(many, found, strict=True))


class Raw:
    """Has a buffer of any length outside of the pickle."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return Raw, (pickle.PickleBuffer(self.data),)


def test_buffers_without_a_byte_come_back(values: Values) -> None:
    value = [Raw(b""), np.empty((0, 7)), Raw(bytes(5000)), np.empty(0, "M8[s]"), np.zeros((5, 0, 3)), b"", Raw(b"")]
    mark, _ = there(values, value)
    found, _ = back(values, mark)
    assert [bytes(found[i].data) for i in (0, 2, 6)] == [b"", bytes(5000), b""]
    assert [found[i].shape for i in (1, 3, 4)] == [(0, 7), (0,), (5, 0, 3)]
    assert found[3].dtype == np.dtype("M8[s]")


def test_a_value_of_several_stripes_and_nodes_is_the_same_with_any_striping(
    valkey_addresses: list[str], valkey_password: str
) -> None:
    ring = Ring(1, tuple(Node(f"n{number}", address) for number, address in enumerate(valkey_addresses)))
    array = np.random.default_rng(0).random((2 * STRIPE + 8) // 8)
    for striping in (Striping(), Striping(stripes=5), Striping(whole_bytes=MIB)):
        kvs = RedisKvs(ring, password=valkey_password, striping=striping)
        values = Values(kvs, Signer(bytes(32)))
        found: Any = values.load("job", "x", values.store("job", "x", values.pack(array), "t", MINUTE))
        assert np.array_equal(found, array)
        assert found.ctypes.data % 64 == 0
        kvs.close()
