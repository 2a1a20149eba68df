"""What the recording's screen makes of bytes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from examples.recording.screen import Screen


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    from examples.recording.screen import Screen

    yield Screen()
    for name in [name for name in sys.modules if name.startswith("examples")]:
        del sys.modules[name]


def seen(screen: Screen) -> list[tuple[str, bool]]:
    return [(row.text, row.erased) for row in screen.rows]


def test_lines_and_what_was_drawn_over(screen: Screen) -> None:
    screen.feed("\r\x1b[K[#..] 1/3\r\x1b[K[##.] 2/3\r\x1b[Kgrüße\r\n\n".encode(), 1.0)
    assert seen(screen) == [("[#..] 1/3", True), ("[##.] 2/3", True), ("grüße", False), ("", False)]


def test_bytes_may_be_cut_anywhere(screen: Screen) -> None:
    for time, byte in enumerate("\r\x1b[Kä☃\r\x1b[Kdone\r\n".encode()):
        screen.feed(bytes([byte]), float(time))
    assert seen(screen) == [("ä☃", True), ("done", False)]
    assert [row.time for row in screen.rows] == [8.0, 18.0]
    assert screen.rows[0].line(1.0) == "~  7.00  ä☃"
    assert screen.rows[1].line(1.0) == "  17.00  done"


def test_text_is_written_over_and_the_rest_stays(screen: Screen) -> None:
    screen.feed(b"abcdef\rxy\n", 0.0)
    assert seen(screen) == [("xycdef", False)]


def test_other_control_characters_are_no_silent_loss(screen: Screen) -> None:
    with pytest.raises(ValueError, match="no control character that is known"):
        screen.feed(b"\x1b[2J", 0.0)
