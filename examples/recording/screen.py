"""What a terminal shows of the bytes that a program writes to it."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

_TOKEN = re.compile(r"(\n|\r|\x1b\[K)")

#: The beginning of a token whose rest has not come yet.
_CUT = re.compile(r"\x1b\[?$")


@dataclass(frozen=True, slots=True)
class Row:
    """A line that was shown.

    Attributes:
        time: When it was drawn, or complete; in seconds of any clock.
        text: What it said.
        erased: Whether it was taken away again.
    """

    time: float
    text: str
    erased: bool

    def line(self, begun: float) -> str:
        """The row with the seconds since `begun`; behind a ~ if it was erased."""
        return f"{'~' if self.erased else ' '} {self.time - begun:5.2f}  {self.text}".rstrip()


class Screen:
    """Reads bytes: text, line ends, returns to a line's begin, and the sequence that erases the rest of a line.

    Attributes:
        rows: The lines that were shown, in their order.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._rest = ""
        self._line = ""
        self._column = 0
        self._drawn = 0.0

    def feed(self, data: bytes, time: float) -> None:
        """Show what was written.

        Raises:
            ValueError: It has a control character that this does not know.
        """
        text = self._rest + self._decoder.decode(data)
        self._rest = cut[0] if (cut := _CUT.search(text)) else ""
        for token in filter(None, _TOKEN.split(text.removesuffix(self._rest))):
            self._show(token, time)

    def _show(self, token: str, time: float) -> None:
        match token:
            case "\r":
                self._column = 0
            case "\n":
                self.rows.append(Row(time, self._line, erased=False))
                self._line, self._column = "", 0
            case "\x1b[K":
                if self._line[self._column :]:
                    self.rows.append(Row(self._drawn, self._line, erased=True))
                self._line = self._line[: self._column]
            case _:
                if not token.isprintable():
                    raise ValueError(f"no text, and no control character that is known: {token!r}")
                end = self._column + len(token)
                self._line = self._line[: self._column] + token + self._line[end:]
                self._column, self._drawn = end, time
