"""The inputs of executor records as bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wukong.mds.records import pack_inputs, unpack_inputs

INPUTS = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=200)), max_size=20)


@given(INPUTS)
def test_what_was_packed_is_unpacked_in_its_order(inputs: list[tuple[int, bytes]]) -> None:
    assert unpack_inputs(pack_inputs(inputs)) == inputs


@given(INPUTS, INPUTS)
def test_concatenated_encodings_are_the_concatenation(
    first: list[tuple[int, bytes]], second: list[tuple[int, bytes]]
) -> None:
    assert unpack_inputs(pack_inputs(first) + pack_inputs(second)) == first + second


def test_the_encoding() -> None:
    assert pack_inputs([]) == b""
    assert unpack_inputs(b"") == []
    assert pack_inputs([(258, b"N"), (0, b"")]) == b"\x02\x01\0\0\x01\0\0\0N" + bytes(8)


def test_marks_may_look_like_anything() -> None:
    inputs = [(1, pack_inputs([(2, b"N")])), (3, b"\0" * 8), (4, bytes(3_000_000))]
    assert unpack_inputs(pack_inputs(iter(inputs))) == inputs


@pytest.mark.parametrize("task", [-1, 2**32])
def test_a_task_that_is_no_task_is_refused(task: int) -> None:
    with pytest.raises(struct.error):
        pack_inputs([(task, b"N")])
