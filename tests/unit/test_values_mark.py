"""Marks say what they stand for, and JSON marks say only what JSON can."""

from __future__ import annotations

import datetime
import json
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wukong.values.manifest import Manifest
from wukong.values.mark import JSON_TAG, NotJson, json_mark, load_json
from wukong.values.scalar import LIMIT, load_scalar, scalar_mark

FEW = settings(max_examples=60, deadline=None)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**1000), 2**1000)
    | st.floats()
    | st.text(max_size=200)
    | st.text(st.characters(categories=["Cs"]), max_size=3)
    | st.binary(max_size=LIMIT)
)


@FEW
@given(scalars)
def test_scalars_come_back_as_they_were(value: object) -> None:
    mark = scalar_mark(value)
    assert mark is not None
    assert len(mark) <= LIMIT + 1
    back = load_scalar(mark)
    assert type(back) is type(value)
    assert back == value or (isinstance(value, float) and math.isnan(value) and math.isnan(back))  # type: ignore[arg-type]


def test_the_sign_of_zero_survives() -> None:
    assert math.copysign(1, load_scalar(scalar_mark(-0.0) or b"")) == -1  # type: ignore[arg-type]


class Word(str):
    """Not exactly a str."""


@pytest.mark.parametrize(
    "value",
    [Word("x"), np.float64(1), [], (), 1j, 2**1024, "x" * (LIMIT + 1), "ü" * LIMIT, bytes(LIMIT + 1), bytearray()],
)
def test_other_and_larger_values_are_no_scalars(value: object) -> None:
    assert scalar_mark(value) is None


texts = st.text(st.characters(codec="utf-8"), max_size=20)


@FEW
@given(texts, texts, texts, st.binary(max_size=2000), st.lists(st.integers(0, 2**62), max_size=20))
def test_a_manifest_comes_back_as_it_was(owner: str, name: str, token: str, data: bytes, lengths: list[int]) -> None:
    carried = len(data) <= 1024
    manifest = Manifest(
        owner, name, token, len(data), tuple(lengths), data if carried else None, b"" if carried else bytes(32)
    )
    assert Manifest.decode(manifest.encode()) == manifest


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)


@FEW
@given(plain)
def test_what_json_can_say_comes_back(value: object) -> None:
    mark = json_mark(value)
    assert mark.startswith(JSON_TAG)
    assert json.loads(mark[1:]) == load_json(mark) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(1.5), 1.5),
        (np.int8(3), 3),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.arange(6).reshape(2, 3), [[0, 1, 2], [3, 4, 5]]),
        (np.array(2.5), 2.5),
        ((1, (2,)), [1, [2]]),
        ({"a": np.float32(0.5), "b": [np.zeros(2)]}, {"a": 0.5, "b": [[0.0, 0.0]]}),
    ],
)
def test_numbers_of_numpy_become_numbers(value: object, expected: object) -> None:
    assert load_json(json_mark(value)) == expected


loop: list[Any] = []
loop.append(loop)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (b"x", "it is a builtins.bytes"),
        ({"a": [1, {2}]}, r"it\['a'\]\[1\] is a builtins.set"),
        ({1: 2}, "it has the key 1"),
        (float("nan"), "not finite"),
        (np.array([1.0, np.inf]), "not finite"),
        (np.array([1j]), "it is a numpy.ndarray"),
        (np.datetime64("2020"), "it is a numpy.datetime64"),
        ([datetime.date(2020, 1, 1)], r"it\[0\] is a datetime.date"),
        (loop, "contains itself"),
    ],
)
def test_what_json_cannot_say_is_told(value: object, where: str) -> None:
    with pytest.raises(NotJson, match=where) as caught:
        json_mark(value)
    assert pickle.loads(pickle.dumps(caught.value)).where == caught.value.where
