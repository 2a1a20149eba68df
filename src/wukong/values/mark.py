"""Marks: what stands for a value in the metadata store, in messages and in payloads.

The first byte is the tag:

    N T U I F S B   None, True, False, an int, a float, a str, bytes: small ones, with no pickle and no signature
    P               a pickle and its buffers, signed
    J               JSON, for programs that are not written in Python
    M               a manifest, signed: the value is in the KVS
    G               a part of a bundle: offset and length of the value's mark in a bytes value, and that one's manifest
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any, Final, NamedTuple

import numpy as np

from wukong.errors import WukongError
from wukong.redis.command import Buffer
from wukong.values.codec import Packed
from wukong.values.manifest import Manifest
from wukong.values.signing import SIZE

#: The tags of marks with a pickle, with JSON, and with a manifest; all others are scalars.
PICKLE_TAG: Final = b"P"
JSON_TAG: Final = b"J"
MANIFEST_TAG: Final = b"M"
BUNDLE_TAG: Final = b"G"

#: Levels of lists and dicts in JSON.
DEEPEST: Final = 100

#: Tag, offset and length of one part of a bundle.
_PART_HEAD: Final = struct.Struct("<cQQ")

#: Tag, signature, number of buffers, bytes of the pickle.
_PICKLE_HEAD: Final = struct.Struct(f"<c{SIZE}sIQ")


class NotJson(WukongError, TypeError):
    """A value was to be given as JSON and cannot.

    Attributes:
        where: The path from the value to the part that cannot.
        reason: Why.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(
            f"the result cannot be given as JSON: {where} {reason}. "
            "Return None, booleans, finite numbers, strings, arrays of numbers, lists, and dicts with string keys."
        )
        self.where = where
        self.reason = reason


class Inline(NamedTuple):
    """The parts of a mark with the tag P. The buffers are its own and can be written to."""

    signature: bytes
    pickle: bytes
    buffers: list[bytearray]


def pickle_mark(signature: bytes, packed: Packed) -> bytes:
    """The mark of a value that travels with it."""
    lengths = packed.lengths()
    head = _PICKLE_HEAD.pack(PICKLE_TAG, signature, len(lengths), len(packed.pickle))
    return b"".join((head, struct.pack(f"<{len(lengths)}Q", *lengths), packed.pickle, *packed.buffers))


def split_pickle_mark(mark: bytes) -> Inline:
    """The parts of a mark with the tag P, not verified.

    Raises:
        ValueError, struct.error: It is malformed.
    """
    _, signature, count, pickle_length = _PICKLE_HEAD.unpack_from(mark)
    start = _PICKLE_HEAD.size
    lengths = struct.unpack_from(f"<{count}Q", mark, start)
    start += 8 * count
    data = mark[start : start + pickle_length]
    start += pickle_length
    if start + sum(lengths) != len(mark):
        raise ValueError("the lengths in the mark do not add up")
    buffers: list[bytearray] = []
    for length in lengths:
        buffers.append(bytearray(mark[start : start + length]))
        start += length
    return Inline(signature, data, buffers)


def manifest_mark(signature: bytes, body: bytes) -> bytes:
    """The mark of a value in the KVS, from its manifest's bytes."""
    return MANIFEST_TAG + signature + body


def split_manifest_mark(mark: bytes) -> tuple[bytes, bytes]:
    """The signature and the manifest's bytes of a mark with the tag M, not verified."""
    return mark[1 : 1 + SIZE], mark[1 + SIZE :]


class Part(NamedTuple):
    """One value of a bundle: where its mark is in the bytes that `bundle`, a mark with the tag M, stands for."""

    offset: int
    length: int
    bundle: bytes


def part_mark(part: Part) -> bytes:
    """The mark of a value in a bundle."""
    return _PART_HEAD.pack(BUNDLE_TAG, part.offset, part.length) + part.bundle


def split_part_mark(mark: bytes) -> Part:
    """The parts of a mark with the tag G.

    Raises:
        struct.error: It is malformed.
    """
    _, offset, length = _PART_HEAD.unpack_from(mark)
    return Part(offset, length, mark[_PART_HEAD.size :])


def name_of(mark: bytes) -> str:
    """The name that a mark with the tag M has for its value.

    Raises:
        ValueError, struct.error: It is malformed.
    """
    return Manifest.decode(split_manifest_mark(mark)[1]).name


def stands_alone(mark: bytes, owner: str, name: str) -> bool:
    """Whether a mark is of a value that belongs to nobody else: no part of a bundle, no bytes of another value's.

    Raises:
        ValueError, struct.error: It is malformed.
    """
    if mark.startswith(MANIFEST_TAG):
        manifest = Manifest.decode(split_manifest_mark(mark)[1])
        return (manifest.owner, manifest.name) == (owner, name)
    return not mark.startswith(BUNDLE_TAG)


def mark_hash(mark: bytes) -> str:
    """By which a mark is known where it need not be told: its SHA-256, in hexadecimal."""
    return hashlib.sha256(mark).hexdigest()


def nbytes(mark: bytes) -> int:
    """The bytes of the value that a mark stands for.

    Raises:
        ValueError, struct.error: It is malformed.
    """
    if mark.startswith(BUNDLE_TAG):
        return split_part_mark(mark).length
    if not mark.startswith(MANIFEST_TAG):
        return len(mark)
    manifest = Manifest.decode(split_manifest_mark(mark)[1])
    return manifest.pickle_length + sum(manifest.lengths)


def json_mark(value: object) -> bytes:
    """The mark of a value as JSON; numpy's numbers and arrays become numbers and lists, tuples become lists.

    Raises:
        NotJson: Something in it has no form in JSON.
    """
    try:
        text = json.dumps(_plain(value, "it", 0), allow_nan=False, separators=(",", ":"))
        return JSON_TAG + text.encode()
    except ValueError as error:
        raise NotJson("it", "contains a number that is not finite, or text that is not Unicode") from error


def load_json(mark: Buffer) -> object:
    """The value of a mark with the tag J.

    Raises:
        ValueError: It is malformed.
    """
    return json.loads(bytes(mark[1:]))


def _plain(value: Any, where: str, depth: int) -> object:
    kind = type(value)
    if depth > DEEPEST:
        raise NotJson("it", f"is nested more than {DEEPEST} levels deep, or contains itself")
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is list or kind is tuple:
        return [_plain(entry, f"{where}[{number}]", depth + 1) for number, entry in enumerate(value)]
    if kind is dict:
        for key in value:
            if type(key) is not str:
                raise NotJson(where, f"has the key {key!r}, which is not a string")
        return {key: _plain(entry, f"{where}[{key!r}]", depth + 1) for key, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufU":
        return value.tolist()
    raise NotJson(where, f"is a {kind.__module__}.{kind.__qualname__}")
