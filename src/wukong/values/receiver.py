"""Rebuilds a value from the bytes of a download."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from wukong.errors import ValueRefused
from wukong.kvs.buffer import allocate
from wukong.redis.command import Buffer
from wukong.values import codec


class Receiver:
    """Takes the pickle and then the buffers of one value, without padding, in pieces of any size.

    All bytes go into one aligned buffer, which the value then refers to.

    Args:
        pickle_length: The bytes of the pickle.
        lengths: The bytes of each buffer.

    Attributes:
        received: The bytes that are here. A stream that broke is resumed from there.
        total: The bytes that there are going to be.
    """

    def __init__(self, pickle_length: int, lengths: Sequence[int]) -> None:
        parts = [pickle_length, *lengths]
        self.received = 0
        self.total = sum(parts)
        stream = allocate(sum(map(codec.pad, parts)))
        self._parts = codec.cut(stream, parts)
        self._ends = list(accumulate(parts))
        self._at = 0

    def write(self, data: Buffer) -> None:
        """Take the next bytes.

        Raises:
            ValueRefused: There are more than the lengths say.
        """
        view = memoryview(data)
        if self.received + len(view) > self.total:
            raise ValueRefused(f"a value of {self.total:,} bytes was announced, and more came")
        while len(view):
            left = self._ends[self._at] - self.received
            if not left:
                self._at += 1
                continue
            piece = view[:left]
            part = self._parts[self._at]
            start = len(part) - left
            part[start : start + len(piece)] = piece
            self.received += len(piece)
            view = view[len(piece) :]

    def value(self) -> object:
        """The value. Only for bytes from the cluster's own proxy, which has verified them.

        Raises:
            ValueRefused: Bytes are missing.
        """
        if self.received != self.total:
            raise ValueRefused(f"a value of {self.total:,} bytes was announced, and {self.received:,} came")
        return codec.unpack(self._parts[0], self._parts[1:])
