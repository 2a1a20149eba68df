"""What tasks are called: as their users know them, on one line, not too long."""

from __future__ import annotations

import pytest

from wukong.graph.name import LONGEST, name


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("sum-3f", "sum-3f"),
        (("x", 0, 1), "('x', 0, 1)"),
        (7, "7"),
        ("ä ☃", "ä ☃"),
        ("two\nlines", r"'two\nlines'"),
        ("\x1b[31m", r"'\x1b[31m'"),
        ("a\udc80b", r"'a\udc80b'"),
    ],
)
def test_names(key: object, text: str) -> None:
    assert name(key) == text
    name(key).encode()


def test_a_very_long_key_is_cut() -> None:
    assert name("x" * LONGEST) == "x" * LONGEST
    assert name("x" * 10_000) == "x" * (LONGEST - 1) + "…"
