"""Which values inside a graph are so large that they are uploaded instead of travelling in a page."""

from __future__ import annotations

import functools
import itertools
import types
from collections.abc import Sequence
from typing import Any

import numpy as np
from dask.sizeof import sizeof

from wukong.graph.reference import Reference

#: Bytes above which a value embedded in a graph is uploaded once and read from the KVS.
LARGE = 64 * 1024

#: Types whose values are immutable, small and the same after pickling: consumers hold a copy each.
SCALARS: frozenset[type] = frozenset({type(None), bool, int, float, complex, str, bytes})
#: Bytes above which even a string is a value of its own instead of being copied into each consumer.
LONGEST_SCALAR = 1024

#: Types whose values are never looked into.
_SMALL: frozenset[type] = frozenset(
    {
        type(None),
        bool,
        int,
        float,
        complex,
        type,
        slice,
        range,
        type(Ellipsis),
        types.FunctionType,
        types.BuiltinFunctionType,
        types.MethodType,
        functools.partial,
    }
)
_SAMPLE = 16
_DEPTH = 4


def is_scalar(value: object) -> bool:
    """Whether consumers hold a copy of the value each, instead of depending on a task that stands for it."""
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value) <= LONGEST_SCALAR  # type: ignore[arg-type]
    return kind in SCALARS


def is_large(value: object) -> bool:
    """Whether a value takes more than `LARGE` bytes, by an estimate that takes microseconds, or is in the cluster."""
    kind = type(value)
    if kind in _SMALL:
        return False
    if kind is str or kind is bytes:
        return len(value) > LARGE  # type: ignore[arg-type]
    if kind is tuple and _SMALL.issuperset(map(type, value)):  # type: ignore[call-overload]
        return len(value) > LARGE // 32  # type: ignore[arg-type]
    return isinstance(value, Reference) or size(value) > LARGE


def size(value: object) -> int:
    """About how many bytes a value takes; exact for arrays, 0 where it is not to be had."""
    return _size(value, _DEPTH)


def _size(value: Any, depth: int) -> int:
    kind = type(value)
    if kind in _SMALL:
        return 32
    if kind is str or kind is bytes or kind is bytearray:
        return len(value)
    if kind is np.ndarray and not value.dtype.hasobject:
        return int(value.nbytes)
    # Dask's own estimate of a collection draws from the user's random numbers; this one is the same in every run.
    if kind is tuple or kind is list:
        return _total(value[:: max(1, len(value) // _SAMPLE)], len(value), depth)
    if kind is dict:
        return _total(list(itertools.islice(value.items(), _SAMPLE)), len(value), depth)
    if kind is set or kind is frozenset:
        return _total(list(itertools.islice(value, _SAMPLE)), len(value), depth)
    try:
        size = int(sizeof(value))
        # Dask counts an object of a class that it does not know without what its attributes hold.
        if depth and size < 4096 and (attributes := getattr(value, "__dict__", None)):
            size += _total(list(attributes.values()), len(attributes), depth)
    except Exception:
        return 0  # its size is not to be had; a page takes it
    return size


def _total(sample: Sequence[Any], count: int, depth: int) -> int:
    if not sample:
        return 64
    if not depth:
        return 8 * count
    return 8 * count + sum([_size(item, depth - 1) for item in sample]) * count // len(sample)
