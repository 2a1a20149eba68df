"""What stands for a value whose bytes are in the KVS."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from wukong.kvs.store import Place
from wukong.redis.command import Buffer
from wukong.values.codec import pad

#: Bytes up to which a pickle travels inside its manifest.
CARRIED: Final = 1024

#: Bytes of the pickle, number of buffers, bytes of owner, name and token, and of the pickle or digest inside.
_HEAD: Final = struct.Struct("<QIHHHH")


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where the bytes of one value are, and how long its parts are.

    Attributes:
        owner: The job or uploaded input whose value it is.
        name: The value's name.
        token: Unique to the writing whose bytes these are.
        pickle_length: The bytes of the pickle.
        lengths: The bytes of each buffer.
        pickle: The pickle itself where it is small; then the KVS holds only the buffers.
        digest: SHA-256 of the pickle where the KVS holds it.
    """

    owner: str
    name: str
    token: str
    pickle_length: int
    lengths: Sequence[int]
    pickle: bytes | None
    digest: bytes

    def place(self) -> Place:
        """Where the stream is."""
        return Place(self.owner, self.name, self.token, sum(map(pad, self.parts())))

    def parts(self) -> list[int]:
        """The bytes of each part of the stream, without its padding."""
        return list(self.lengths) if self.pickle is not None else [self.pickle_length, *self.lengths]

    def encode(self) -> bytes:
        """The manifest as bytes."""
        texts = [text.encode() for text in (self.owner, self.name, self.token)]
        inside = self.digest if self.pickle is None else self.pickle
        head = _HEAD.pack(self.pickle_length, len(self.lengths), *map(len, texts), len(inside))
        return b"".join((head, *texts, inside, struct.pack(f"<{len(self.lengths)}Q", *self.lengths)))

    @classmethod
    def decode(cls, body: Buffer) -> Manifest:
        """The manifest of which these are the bytes.

        Raises:
            ValueError, struct.error: They are not those of a manifest.
        """
        pickle_length, count, *sizes = _HEAD.unpack_from(body)
        at = _HEAD.size
        fields: list[bytes] = []
        for size in sizes:
            fields.append(bytes(body[at : at + size]))
            at += size
        owner, name, token = (field.decode() for field in fields[:3])
        inside = fields[3]
        carried = pickle_length <= CARRIED
        lengths = struct.unpack(f"<{count}Q", body[at:])
        return cls(owner, name, token, pickle_length, lengths, inside if carried else None, b"" if carried else inside)


def layout(owner: str, name: str, token: str, pickle_length: int, lengths: Sequence[int]) -> Manifest:
    """The manifest of a value whose bytes are not known yet."""
    return Manifest(owner, name, token, pickle_length, lengths, b"" if pickle_length <= CARRIED else None, b"")


def digest(parts: Iterable[Buffer]) -> bytes:
    """What a manifest says of a pickle that it does not carry."""
    state = sha256()
    for part in parts:
        state.update(part)
    return state.digest()
