"""Executor records: what one executor is asked to do, as it stands in the metadata store."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_ITEM = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class Record:
    """One piece of a job's work, not yet begun.

    Attributes:
        id: Unique within the job.
        entries: Ids of the tasks to start from, ascending.
        inputs: Marks of values that the entries need and that their former owner had in memory; an empty one stands for
            a value that nobody has, and that has to be computed again.
        depth: Length of the chain of invocations that led here.
    """

    id: str
    entries: Sequence[int]
    inputs: Sequence[tuple[int, bytes]] = ()
    depth: int = 0


def pack_inputs(inputs: Iterable[tuple[int, bytes]]) -> bytes:
    """Encode (task, mark) pairs."""
    return b"".join(_ITEM.pack(task, len(mark)) + mark for task, mark in inputs)


def unpack_inputs(data: bytes) -> list[tuple[int, bytes]]:
    """Decode what `pack_inputs` made."""
    inputs: list[tuple[int, bytes]] = []
    position = 0
    while position < len(data):
        task, length = _ITEM.unpack_from(data, position)
        position += _ITEM.size
        inputs.append((task, data[position : position + length]))
        position += length
    return inputs
