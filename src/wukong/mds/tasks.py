"""Sets of task ids as bytes: runs of consecutive ids.

Ids are in depth-first order, so what stands together in the graph is a run, and a million independent leaves are
eight bytes. The encoding of a union is the concatenation of encodings, which lets a script append without decoding.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable


def pack_tasks(tasks: Iterable[int]) -> bytes:
    """Encode ids, in the order given, as pairs (first, last) of uint32."""
    runs = array("I")
    first = last = -2
    for task in tasks:
        if task != last + 1:
            if first >= 0:
                runs.extend((first, last))
            first = task
        last = task
    if first >= 0:
        runs.extend((first, last))
    return runs.tobytes()


def unpack_tasks(data: bytes) -> list[int]:
    """Decode what `pack_tasks` (or several, concatenated) made; the order is kept."""
    runs = array("I")
    runs.frombytes(data)
    tasks: list[int] = []
    for position in range(0, len(runs), 2):
        tasks.extend(range(runs[position], runs[position + 1] + 1))
    return tasks
