"""Values as bytes: a pickle (protocol 5), and beside it the large buffers, which stay where they are.

Theory of operation
-------------------
Plain `pickle` writes classes and functions as references by name. Of those from `__main__` and from modules that
travel by value, the receiver has no such name, and the sender does not notice. `cloudpickle` does that right,
and costs some microseconds a value. So plain `pickle` is used for what certainly has no such reference in it:
exact builtin types, numpy scalars and arrays without objects, and short flat containers of these. All else
goes by cloudpickle.

Buffers of `LARGE` bytes or more are kept out of the pickle; the others are cheaper to copy than to account for.
Three kinds of values would put large bytes into the pickle, and so copy them twice, and are turned first:
arrays that are not contiguous, arrays of dates (both also where they are nested), and large byte strings.

A stream of a value is its pickle, if that is not carried elsewhere, and its buffers, each padded to a multiple of
`ALIGNMENT`. Whoever receives it into one aligned buffer can use the parts where they are.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import cloudpickle
import numpy as np

from wukong.errors import WukongError
from wukong.kvs.buffer import ALIGNMENT
from wukong.redis.command import Buffer
from wukong.values.scalar import scalar_mark

#: Bytes from which a buffer is kept out of the pickle.
LARGE: Final = 4096
_PADDING: Final = bytes(ALIGNMENT)

#: Entries up to which a container is looked through for what plain pickle can do.
_FLAT: Final = 64


class UnpicklableValue(WukongError, TypeError):
    """A value cannot be pickled, so it cannot leave the process that made it.

    Attributes:
        kind: The name of its type.
        reason: What the pickler said.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(
            f"a value of type {kind} cannot be pickled: {reason}. "
            "Return data from tasks, not what belongs to a process (locks, files, generators, connections)."
        )
        self.kind = kind
        self.reason = reason


@dataclass(slots=True)
class Packed:
    """A value as bytes. The buffers belong to the value: it must not be changed before they are written.

    Attributes:
        pickle: The pickle; empty for a scalar.
        buffers: What the pickle refers to and does not hold.
        nbytes: The bytes of both, or of the scalar's mark.
        scalar: The whole mark of a value that needs no pickle.
    """

    pickle: bytes
    buffers: list[memoryview]
    nbytes: int
    scalar: bytes | None = None

    def lengths(self) -> list[int]:
        """The bytes of each buffer."""
        return list(map(len, self.buffers))


def pack(value: object) -> Packed:
    """Turn a value into bytes without copying its large buffers.

    Raises:
        UnpicklableValue: It cannot be pickled.
    """
    mark = scalar_mark(value)
    if mark is not None:
        return Packed(b"", [], len(mark), mark)
    buffers: list[memoryview] = []

    def keep_out(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes < LARGE:
            return True
        buffers.append(view)
        return False

    kind = type(value)
    if kind is np.ndarray and not _direct(value):
        value = _turned(value)
    elif (kind is bytes or kind is bytearray) and len(value) >= LARGE:  # type: ignore[arg-type]
        value = _Outside(value)  # type: ignore[arg-type]
    try:
        if _is_plain(value):
            data = pickle.dumps(value, 5, buffer_callback=keep_out)
        else:
            stream = io.BytesIO()
            _Pickler(stream, protocol=5, buffer_callback=keep_out).dump(value)
            data = stream.getvalue()
    except Exception as error:
        raise UnpicklableValue(f"{kind.__module__}.{kind.__qualname__}", str(error)) from error
    return Packed(data, buffers, len(data) + sum(map(len, buffers)))


def outside(value: bytes) -> Packed:
    """A byte string as a buffer of its own, however short it is."""
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(_Outside(value), 5, buffer_callback=buffers.append)
    return Packed(data, [buffer.raw() for buffer in buffers], len(data) + len(value))


def unpack(data: Buffer, buffers: Iterable[Buffer]) -> object:
    """The value. It refers to the buffers, and can be written to where they can. Only for trusted bytes."""
    return pickle.loads(data, buffers=buffers)


def pad(nbytes: int) -> int:
    """`nbytes` with the padding behind them."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def padding(nbytes: int) -> bytes:
    """What comes behind a part of `nbytes`."""
    return _PADDING[: -nbytes % ALIGNMENT]


def cut(stream: memoryview, lengths: Iterable[int]) -> list[memoryview]:
    """The parts of a padded stream."""
    parts: list[memoryview] = []
    start = 0
    for length in lengths:
        parts.append(stream[start : start + length])
        start += pad(length)
    return parts


class _Outside:
    """A byte string that is pickled as a call of its own type on a buffer."""

    def __init__(self, value: bytes | bytearray) -> None:
        self._value = value

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return type(self._value), (pickle.PickleBuffer(self._value),)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is np.ndarray:
            return NotImplemented if _direct(obj) else _turned(obj).__reduce_ex__(5)
        return super().reducer_override(obj)


def _direct(array: Any) -> bool:
    """Whether an array's bytes stay outside, or are too few to matter, when it is pickled as it is."""
    if array.nbytes < LARGE or array.dtype.hasobject:
        return True
    return (array.flags.c_contiguous or array.flags.f_contiguous) and array.dtype.kind not in "mM"


def _turned(array: Any) -> Any:
    """What to pickle in place of an array that is not direct."""
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        array = np.ascontiguousarray(array)
    return _Dates(array) if array.dtype.kind in "mM" else array


class _Dates:
    """An array of dates or durations, which have no buffers: pickled as a view of its integers."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return np.ndarray.view, (self._array.view(np.int64), self._array.dtype)


_ATOMS: Final = frozenset((type(None), bool, int, float, complex, str, bytes, bytearray, _Outside, _Dates))


def _is_plain(value: Any) -> bool:
    """Whether plain pickle does it right: no class or function in it that the receiver may not have."""
    kind = type(value)
    if kind is np.ndarray:
        return not value.dtype.hasobject
    if kind is tuple or kind is list:
        return len(value) <= _FLAT and all(map(_is_plain_entry, value))
    if kind is dict:
        return len(value) <= _FLAT and all(map(_is_plain_entry, (*value, *value.values())))
    if issubclass(kind, np.generic):
        return kind.__module__ == "numpy" and not value.dtype.hasobject
    return kind in _ATOMS


def _is_plain_entry(value: Any) -> bool:
    kind = type(value)
    return kind in _ATOMS or (kind is np.ndarray and not value.dtype.hasobject and _direct(value))
