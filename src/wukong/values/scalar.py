"""Small values of the commonest types, which need neither a pickle nor, since they cannot do harm, a signature."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

#: Bytes up to which a string or a number is a scalar.
LIMIT: Final = 1024

_FLOAT: Final = struct.Struct("<d")


def scalar_mark(value: object) -> bytes | None:
    """The mark of a value that is exactly None, bool, int, float, str or bytes, and small; else None."""
    encode = _ENCODERS.get(type(value))
    return encode(value) if encode is not None else None


def load_scalar(mark: bytes) -> object:
    """The value of a mark that `scalar_mark` made.

    Raises:
        ValueError, struct.error: It is malformed.
        KeyError: It has another tag.
    """
    return _DECODERS[mark[0]](mark)


def _int(value: int) -> bytes | None:
    return b"I%d" % value if value.bit_length() <= 1024 else None


def _str(value: str) -> bytes | None:
    if len(value) > LIMIT:
        return None
    text = value.encode("utf-8", "surrogatepass")
    return b"S" + text if len(text) <= LIMIT else None


_ENCODERS: Final[dict[type, Callable[..., bytes | None]]] = {
    type(None): lambda value: b"N",
    bool: lambda value: b"T" if value else b"U",
    int: _int,
    float: lambda value: b"F" + _FLOAT.pack(value),
    str: _str,
    bytes: lambda value: b"B" + value if len(value) <= LIMIT else None,
}

_DECODERS: Final[dict[int, Callable[[bytes], object]]] = {
    ord("N"): lambda mark: None,
    ord("T"): lambda mark: True,
    ord("U"): lambda mark: False,
    ord("I"): lambda mark: int(mark[1:]),
    ord("F"): lambda mark: _FLOAT.unpack(mark[1:])[0],
    ord("S"): lambda mark: mark[1:].decode("utf-8", "surrogatepass"),
    ord("B"): lambda mark: mark[1:],
}
