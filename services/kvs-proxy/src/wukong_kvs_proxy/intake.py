"""What becomes of the bytes of an uploaded value. Pure: pieces of the value in, pieces of its stream out.

The stream is what the key-value store holds: a pickle that is too large for the manifest, and the buffers, each
padded so that whoever receives the stream can use them where they are. On the way the bytes are hashed twice: all
of them for the name of the value, and the pickle for the manifest, whose signature so covers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from wukong.errors import ValueRefused
from wukong.redis.command import Buffer
from wukong.rpc.content import ContentHash
from wukong.values.codec import ALIGNMENT, pad
from wukong.values.manifest import CARRIED, Manifest

_PADDING = bytes(ALIGNMENT)


class Intake:
    """Takes one value, whose parts follow each other: the pickle, then each buffer.

    Args:
        content_hash: The hash that the value must have.
        pickle_length: Bytes of the pickle.
        buffer_lengths: Bytes of each buffer.
    """

    def __init__(self, content_hash: str, pickle_length: int, buffer_lengths: Sequence[int]) -> None:
        self._expected = content_hash
        self._lengths = [pickle_length, *buffer_lengths]
        self._hash = ContentHash(pickle_length, buffer_lengths)
        self._carried = bytearray() if pickle_length <= CARRIED else None
        self._digest = sha256()
        #: The part that the next byte belongs to, and how many bytes of it are still to come.
        self._part = 0
        self._left = pickle_length

    @property
    def stream_nbytes(self) -> int:
        """Bytes of the stream, known before the first one comes."""
        return sum(map(pad, self._lengths if self._carried is None else self._lengths[1:]))

    def take(self, data: Buffer) -> list[Buffer]:
        """The pieces of the stream that these bytes of the value make. They refer to `data`.

        Raises:
            ValueRefused: There are more bytes than were announced.
        """
        self._hash.update(data)
        pieces: list[Buffer] = []
        view = memoryview(data)
        while view:
            if not self._left:
                pieces += self._end_part()
                continue
            piece, view = view[: self._left], view[self._left :]
            self._left -= len(piece)
            if self._part == 0:
                self._digest.update(piece)
            if self._part == 0 and self._carried is not None:
                self._carried += piece
            else:
                pieces.append(piece)
        return pieces

    def finish(self) -> list[Buffer]:
        """The last pieces of the stream.

        Raises:
            ValueRefused: There were fewer bytes than announced, or others than the hash says.
        """
        pieces: list[Buffer] = []
        while not self._left and self._part < len(self._lengths):
            pieces += self._end_part()
        if self._left:
            missing = self._left + sum(self._lengths[self._part + 1 :])
            raise ValueRefused(f"the upload of {self._expected} ended {missing:,} bytes before its announced end")
        if self._hash.hexdigest() != self._expected:
            raise ValueRefused(f"the uploaded value has the hash {self._hash.hexdigest()}, not {self._expected}")
        return pieces

    def manifest(self, owner: str, name: str, token: str) -> Manifest:
        """The manifest of the value, once `finish` has returned."""
        pickle = None if self._carried is None else bytes(self._carried)
        digest = self._digest.digest() if pickle is None else b""
        return Manifest(owner, name, token, self._lengths[0], self._lengths[1:], pickle, digest)

    def _end_part(self) -> list[Buffer]:
        if self._part == len(self._lengths):
            raise ValueRefused(f"the upload of {self._expected} has more bytes than it announced")
        length = self._lengths[self._part]
        in_stream = self._part > 0 or self._carried is None
        self._part += 1
        self._left = self._lengths[self._part] if self._part < len(self._lengths) else 0
        missing = pad(length) - length
        return [_PADDING[:missing]] if in_stream and missing else []
