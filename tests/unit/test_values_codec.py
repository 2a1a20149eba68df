"""Values survive packing, and their large buffers are not copied."""

from __future__ import annotations

import datetime
import decimal
import pickle
import subprocess
import sys
import threading
import types
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from wukong.kvs.buffer import allocate
from wukong.values import codec
from wukong.values.codec import LARGE, Packed, UnpicklableValue, pack, unpack
from wukong.values.scalar import load_scalar

FEW = settings(max_examples=60, deadline=None)


def received(packed: Packed) -> Any:
    """The value as a receiver has it, whose buffers lie in one new block."""
    if packed.scalar is not None:
        return load_scalar(packed.scalar)
    lengths = packed.lengths()
    stream = allocate(sum(map(codec.pad, lengths)))
    parts = codec.cut(stream, lengths)
    for part, buffer in zip(parts, packed.buffers, strict=True):
        part[:] = buffer
    return unpack(packed.pickle, parts)


def round_trip(value: object) -> Any:
    return received(pack(value))


def equal(left: Any, right: Any) -> bool:
    if isinstance(left, np.ndarray | np.generic):
        return (
            type(left) is type(right)
            and left.dtype == right.dtype
            and left.shape == right.shape
            and left.tobytes() == right.tobytes()
        )
    if isinstance(left, list | tuple):
        return type(left) is type(right) and len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict):
        return type(left) is type(right) and list(left) == list(right) and all(equal(left[k], right[k]) for k in left)
    return type(left) is type(right) and (left == right or left != left)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.complex_numbers()
arrays = npst.arrays(
    # NumPy's own pickles lose the byte order of dates (and keep the dates).
    npst.scalar_dtypes().filter(lambda dtype: dtype.isnative or dtype.kind not in "mM")
    | npst.array_dtypes(max_size=3)
    | npst.unicode_string_dtypes(),
    npst.array_shapes(min_dims=0, min_side=0, max_side=12),
)
nested = st.recursive(
    scalars | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@FEW
@given(nested)
def test_any_nesting_comes_back_equal(value: object) -> None:
    assert equal(value, round_trip(value))


@FEW
@given(arrays, st.sampled_from([1, 500]), st.sampled_from(["C", "F"]))
def test_arrays_of_every_type_and_order_come_back_equal(array: Any, times: int, order: Any) -> None:
    value = np.asarray(np.repeat(array[np.newaxis], times, axis=0), order=order)
    assert equal(value, round_trip(value))
    assert round_trip(value).flags.writeable


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((0, 5)),
        np.array(3.5),
        np.array(None),
        np.asfortranarray(np.arange(10_000.0).reshape(100, 100)),
        np.arange(100_000)[::3],
        np.arange(10_000).reshape(100, 100)[:, 10:90],
        np.broadcast_to(np.arange(100.0), (100, 100)),
        np.zeros(1000, [("a", "i4"), ("b", "f8", (3,)), ("c", "U5")]),
        np.arange(5000).astype("M8[s]"),
        np.arange(5000).astype("m8[ms]")[::2],
        np.asfortranarray(np.arange(6000).astype("M8[D]").reshape(60, 100)),
        np.array(["x" * 50] * 500),
        np.arange(10_000, dtype=">i4"),
        np.float32(1.5),
        np.datetime64("2020-01-01"),
        np.bool_(True),
        b"",
        b"x" * 5_000_000,
        bytearray(b"y" * 5_000_000),
        "ü" * 1_000_000,
        2**5000,
        decimal.Decimal("1.5"),
        datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
        [np.arange(n) for n in range(3000)],
        {"a": [(np.ones(5000), {"b": np.arange(5000).astype("M8[s]")})], 3: {1, 2}},
    ],
    ids=lambda value: f"{type(value).__name__}",
)
def test_values_of_every_kind_come_back_equal(value: object) -> None:
    assert equal(value, round_trip(value))


def test_arrays_of_objects_come_back_equal() -> None:
    value = np.array([1, "two", None, [3.0]], dtype=object)
    assert round_trip(value).tolist() == value.tolist()


def test_frames_come_back_equal() -> None:
    frame = pd.DataFrame(
        {
            "i": np.arange(5000),
            "f": np.random.default_rng(0).random(5000),
            "s": [f"row {n}" for n in range(5000)],
            "t": pd.date_range("2020", periods=5000, freq="h"),
            "c": pd.Categorical(["a", "b"] * 2500),
        }
    )
    pd.testing.assert_frame_equal(frame, round_trip(frame))
    pd.testing.assert_frame_equal(frame[::7], round_trip(frame[::7]))
    pd.testing.assert_series_equal(frame.t, round_trip(frame.t))
    table = pa.Table.from_pandas(frame)
    assert table.equals(round_trip(table))


def test_thousands_of_buffers_come_back() -> None:
    value = {n: np.full(LARGE, n % 256, np.uint8) for n in range(5000)}
    packed = pack(value)
    assert len(packed.buffers) == 5000
    back = received(packed)
    assert all((back[n] == n % 256).all() for n in range(5000))


def test_the_same_array_twice_is_one_array() -> None:
    array = np.arange(10_000)
    for value in ([array, array], [array[::2]] * 2):
        one, two = round_trip(value)
        assert one is two


def test_large_buffers_are_not_copied() -> None:
    array = np.arange(100_000.0)
    text = b"x" * 100_000
    for value, source in (
        (array, array),
        (np.asfortranarray(array.reshape(10, -1)), None),
        ([1, {"a": array}], array),
        (text, np.frombuffer(text, np.uint8)),
        (pd.DataFrame({"a": array}, copy=False), array),
    ):
        packed = pack(value)
        assert len(packed.buffers) == 1
        assert len(packed.pickle) < 2000
        assert packed.nbytes == len(packed.pickle) + len(packed.buffers[0])
        if source is not None:
            assert np.shares_memory(np.frombuffer(packed.buffers[0], np.uint8), source)


def test_a_received_array_is_a_view_that_can_be_written_to() -> None:
    packed = pack(np.arange(100_000))
    stream = allocate(packed.nbytes)
    parts = codec.cut(stream, packed.lengths())
    parts[0][:] = packed.buffers[0]
    back: Any = unpack(packed.pickle, parts)
    back[0] = 17
    assert np.frombuffer(parts[0], np.int64)[0] == 17
    assert np.shares_memory(back, np.frombuffer(stream, np.uint8))
    assert back.ctypes.data % 64 == 0


def test_an_array_that_cannot_be_written_to_stays_so() -> None:
    array = np.arange(100_000)
    array.flags.writeable = False
    assert not round_trip(array).flags.writeable


class _Beside:
    """Pickled by reference in this process: other processes do not have this module."""

    def __init__(self, x: object) -> None:
        self.x = x


def test_what_other_processes_cannot_import_is_carried_along() -> None:
    module = types.ModuleType("by_value_module")
    exec(
        "class Point:\n    def __init__(self, x):\n        self.x = x\n    def twice(self): return 2 * self.x",
        module.__dict__,
    )
    sys.modules["by_value_module"] = module
    cloudpickle.register_pickle_by_value(module)
    main = types.ModuleType("__main__")
    exec("class Local:\n    y = 5\ndef function(): return 7", main.__dict__)
    before = sys.modules["__main__"]
    sys.modules["__main__"] = main
    try:
        packed = [
            pack(value)
            for value in (
                module.Point(21),
                [1, (module.Point(21),)],
                {"k": module.Point(21)},
                np.array([module.Point(21)], dtype=object),
                main.Local(),
                main.function,
                lambda: 9,
            )
        ]
    finally:
        sys.modules["__main__"] = before
        cloudpickle.unregister_pickle_by_value(module)
        del sys.modules["by_value_module"]
    program = """
import pickle, sys
one, two, three, four, five, six, seven = [pickle.loads(data) for data in pickle.load(sys.stdin.buffer)]
assert [one.twice(), two[1][0].twice(), three["k"].twice(), four[0].twice(), five.y, six(), seven()] == \
    [42, 42, 42, 42, 5, 7, 9]
"""
    data = pickle.dumps([value.pickle for value in packed])
    done = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("value", [threading.Lock(), map(len, (n for n in "ab")), [{"a": threading.Lock()}]])
def test_what_cannot_be_pickled_is_told(value: object) -> None:
    with pytest.raises(UnpicklableValue, match=type(value).__name__) as caught:
        pack(value)
    assert isinstance(caught.value, TypeError)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.kind, again.reason, str(again)) == (caught.value.kind, caught.value.reason, str(caught.value))


def test_a_value_that_is_nested_too_deeply_is_told() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(UnpicklableValue):
        pack(value)
    while value:
        value = value.pop()  # type: ignore[assignment]
