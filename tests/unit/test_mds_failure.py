"""Failures as JSON."""

from __future__ import annotations

import json
import pickle
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wukong.mds.failure import Failure

FACTS = st.dictionaries(st.text(), st.text() | st.integers() | st.floats(allow_nan=False), max_size=4)


@given(
    st.builds(
        Failure,
        error=st.text(),
        message=st.text(),
        task=st.integers(-1, 2**32 - 1),
        key=st.text(),
        attempt=st.integers(0, 9),
        type_name=st.text(),
        traceback=st.text(),
        exception=st.binary(),
        attributes=FACTS,
    )
)
def test_what_was_written_is_read(failure: Failure) -> None:
    text = failure.to_json()
    assert Failure.from_json(text) == failure
    assert Failure.from_json(text.encode()) == failure


def test_every_language_can_read_it() -> None:
    failure = Failure("TaskError", "division by zero", 7, "('x', 0)", 2, "ZeroDivisionError", "…", b"\x80\x05")
    fields: dict[str, Any] = json.loads(failure.to_json())
    assert fields == {
        "error": "TaskError",
        "message": "division by zero",
        "task": 7,
        "key": "('x', 0)",
        "attempt": 2,
        "type_name": "ZeroDivisionError",
        "traceback": "…",
        "exception": "gAU=",
        "attributes": {},
    }


def test_text_that_no_encoding_can_carry_survives() -> None:
    failure = Failure("TaskError", "no such file: a\udc80b")
    text = failure.to_json()
    assert text.isascii()
    assert Failure.from_json(text) == failure


def test_nothing_is_unpickled_on_the_way() -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (exec, ("raise AssertionError('unpickled')",))

    bomb = pickle.dumps(Bomb())
    assert Failure.from_json(Failure("TaskError", "x", exception=bomb).to_json()).exception == bomb
