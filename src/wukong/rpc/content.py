"""The content hash of a value: the name under which it is uploaded, so that a known one is not sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from wukong.redis.command import Buffer


class ContentHash:
    """The hash of a value whose bytes come in pieces, as `PutValueHeader.hash` defines it.

    Args:
        pickle_length: Bytes of the pickle.
        buffer_lengths: Bytes of each out-of-band buffer.
    """

    def __init__(self, pickle_length: int, buffer_lengths: Sequence[int]) -> None:
        numbers = (pickle_length, len(buffer_lengths), *buffer_lengths)
        self._hash = hashlib.sha256(b"".join(number.to_bytes(8, "little") for number in numbers))

    def update(self, data: Buffer) -> None:
        """Takes the next bytes: of the pickle, and then of the buffers."""
        self._hash.update(data)

    def hexdigest(self) -> str:
        """The hash of all that was taken."""
        return self._hash.hexdigest()


def content_hash(pickle: Buffer, buffers: Sequence[Buffer]) -> str:
    """The hash of a value that is all here."""
    content = ContentHash(memoryview(pickle).nbytes, [memoryview(buffer).nbytes for buffer in buffers])
    for part in (pickle, *buffers):
        content.update(part)
    return content.hexdigest()
