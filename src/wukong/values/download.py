"""The bytes of a value for somebody who rebuilds it elsewhere, from any point on, since a stream can break."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol

from wukong.errors import ValueRefused
from wukong.kvs.store import STRIPE, Kvs
from wukong.redis.command import Buffer
from wukong.values import codec
from wukong.values.manifest import Manifest, digest


class Download(Protocol):
    """A value's pickle and then its buffers, without padding. The pickle was verified.

    Attributes:
        pickle_length: The bytes of the pickle.
        lengths: The bytes of each buffer.
        total: The bytes of all.
    """

    pickle_length: int
    lengths: Sequence[int]
    total: int

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset` on; none at the end.

        Raises:
            ValueMissing, ValueRefused, ClusterUnavailable: As `Kvs.read`.
        """


class Carried:
    """A `Download` of a value that its mark carries."""

    def __init__(self, pickle: bytes, buffers: Sequence[Buffer]) -> None:
        self.pickle_length = len(pickle)
        self.lengths: Sequence[int] = list(map(len, buffers))
        self._data = b"".join((pickle, *buffers))
        self.total = len(self._data)

    def read(self, offset: int, length: int) -> bytes:
        """See `Download.read`."""
        return self._data[offset : offset + length]


class Stored:
    """A `Download` of a value in the KVS.

    Raises:
        ValueRefused: The pickle in the KVS is not the one that the manifest tells of.
    """

    def __init__(self, kvs: Kvs, manifest: Manifest) -> None:
        self.pickle_length = manifest.pickle_length
        self.lengths: Sequence[int] = manifest.lengths
        self.total = self.pickle_length + sum(self.lengths)
        self._kvs = kvs
        self._place = manifest.place()
        #: What comes before the bytes in the KVS.
        self._head = manifest.pickle or b""
        parts = manifest.parts()
        #: Where each part starts: among the bytes without padding, and in the stream.
        self._plain = [0, *accumulate(parts)]
        self._padded = [0, *accumulate(map(codec.pad, parts))]
        if manifest.pickle is None:
            pieces = (
                kvs.read(*self._place, start, min(STRIPE, self.pickle_length - start))
                for start in range(0, self.pickle_length, STRIPE)
            )
            if digest(pieces) != manifest.digest:
                raise ValueRefused(
                    f"the pickle of the value {manifest.name!r} of {manifest.owner!r} was changed in the KVS"
                )

    def read(self, offset: int, length: int) -> bytes:
        """See `Download.read`."""
        data = self._head[offset : offset + length]
        start = max(0, offset - len(self._head))
        end = min(self._plain[-1], offset + length - len(self._head))
        if start >= end:
            return data
        first = bisect_right(self._plain, start) - 1
        last = bisect_right(self._plain, end - 1) - 1
        begin = self._padded[first] + start - self._plain[first]
        stop = self._padded[last] + end - self._plain[last]
        stream = self._kvs.read(*self._place, begin, stop - begin)
        pieces: list[Buffer] = [data]
        for part in range(first, last + 1):
            low = max(start, self._plain[part]) - self._plain[part] + self._padded[part] - begin
            high = min(end, self._plain[part + 1]) - self._plain[part] + self._padded[part] - begin
            pieces.append(stream[low:high])
        return b"".join(pieces)
