"""The bytes of a value for somebody who rebuilds it elsewhere, from any point on, since a stream can break."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import sha256
from itertools import accumulate
from typing import Protocol

from wukong.errors import ValueRefused
from wukong.kvs.store import Kvs
from wukong.kvs.striping import STRIPE
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

    The pickle is verified stripe by stripe before the first byte is given. When a stripe of it is read again, it
    must be the one that was verified: a store that changes in between is found out. At most one stripe is held.

    Raises:
        ValueRefused: The pickle in the KVS is not the one that the manifest tells of.
    """

    def __init__(self, kvs: Kvs, manifest: Manifest) -> None:
        self.pickle_length = manifest.pickle_length
        self.lengths: Sequence[int] = manifest.lengths
        self.total = self.pickle_length + sum(self.lengths)
        self._kvs = kvs
        self._place = manifest.place()
        #: The last stripe of the pickle that was read, and its number. A pickle that the manifest carries is one.
        self._stripe: Buffer = manifest.pickle or b""
        self._number = 0
        #: The hash of each stripe of the pickle.
        self._hashes: list[bytes] = []
        #: Where each buffer starts: among the buffers without padding, and in the stream.
        start = 0 if manifest.pickle is not None else codec.pad(self.pickle_length)
        self._plain = list(accumulate(self.lengths, initial=0))
        self._padded = list(accumulate(map(codec.pad, self.lengths), initial=start))
        if manifest.pickle is None:
            self._verify(manifest)

    def read(self, offset: int, length: int) -> bytes:
        """See `Download.read`."""
        end = min(self.total, offset + length)
        pieces: list[Buffer] = []
        while offset < min(end, self.pickle_length):
            number, start = divmod(offset, STRIPE)
            piece = self._verified(number)[start : start + end - offset]
            pieces.append(piece)
            offset += len(piece)
        if offset < end:
            pieces += self._read_buffers(offset - self.pickle_length, end - self.pickle_length)
        return b"".join(pieces)

    def _verify(self, manifest: Manifest) -> None:
        whole = sha256()
        for number in range(-(-self.pickle_length // STRIPE)):
            self._number, self._stripe = number, self._fetch(number)
            whole.update(self._stripe)
            self._hashes.append(digest([self._stripe]))
        if whole.digest() != manifest.digest:
            raise self._changed()

    def _verified(self, number: int) -> Buffer:
        if number != self._number:
            stripe = self._fetch(number)
            if digest([stripe]) != self._hashes[number]:
                raise self._changed()
            self._number, self._stripe = number, stripe
        return self._stripe

    def _fetch(self, number: int) -> Buffer:
        start = number * STRIPE
        return self._kvs.read(*self._place, start, min(STRIPE, self.pickle_length - start))

    def _changed(self) -> ValueRefused:
        owner, name = self._place[:2]
        return ValueRefused(f"the pickle of the value {name!r} of {owner!r} was changed in the KVS")

    def _read_buffers(self, start: int, end: int) -> list[Buffer]:
        first = bisect_right(self._plain, start) - 1
        last = bisect_right(self._plain, end - 1) - 1
        begin = self._padded[first] + start - self._plain[first]
        stop = self._padded[last] + end - self._plain[last]
        stream = self._kvs.read(*self._place, begin, stop - begin)
        pieces: list[Buffer] = []
        for part in range(first, last + 1):
            low = max(start, self._plain[part]) - self._plain[part] + self._padded[part] - begin
            high = min(end, self._plain[part + 1]) - self._plain[part] + self._padded[part] - begin
            pieces.append(stream[low:high])
        return pieces
