"""Where the bytes of a value stand in its padded stream. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from wukong.values.codec import pad


class Spans:
    """The parts of a stream. Offsets of the value count its bytes without padding.

    Args:
        lengths: Bytes of each part.

    Attributes:
        nbytes: Bytes of all parts.
        stream_nbytes: The same with the padding behind each.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        self._lengths = lengths
        *self._starts, self.nbytes = accumulate(lengths, initial=0)
        *self._places, self.stream_nbytes = accumulate(map(pad, lengths), initial=0)

    def place(self, offset: int) -> int:
        """Where in the stream the byte at an offset of the value stands; the stream's end for offsets past it."""
        if offset >= self.nbytes:
            return self.stream_nbytes
        part = bisect_right(self._starts, offset) - 1
        return self._places[part] + offset - self._starts[part]

    def content(self, window: memoryview, at: int) -> list[memoryview]:
        """The bytes of the value, without the padding, in a window of the stream that begins at `at`."""
        end = at + len(window)
        pieces: list[memoryview] = []
        for part in range(max(0, bisect_right(self._places, at) - 1), len(self._lengths)):
            start = self._places[part]
            if start >= end:
                break
            piece = window[max(0, start - at) : max(0, start + self._lengths[part] - at)]
            if piece:
                pieces.append(piece)
        return pieces
