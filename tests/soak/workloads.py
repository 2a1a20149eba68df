"""The jobs that are disturbed: TSQR, a tree of short tasks, an all-to-all. Each takes a second or so on 3 environments.

Their tasks take a known time and note when they begin and end, so that a fault can be put into the middle of one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
from tests.soak.notes import Notes

#: Elements of an array that is more than a mark holds, so that it goes through the KVS where executors share it.
LENGTH = 5_000

LEAVES = 64
BLOCKS, ROWS, COLUMNS = 24, 300, 12
WIDTH, LAYERS = 14, 3


@dataclass(frozen=True)
class Workload:
    """A graph to run.

    Attributes:
        graph: The graph.
        keys: What is asked for.
        noted: How many of its tasks note what they do.
        seconds: How long each of these takes.
        expected: What Dask's synchronous scheduler or NumPy says the result is.
    """

    graph: dict[Any, Any]
    keys: Any
    noted: int
    seconds: float
    expected: Any


class Step:
    """A task of a known length that notes its begin and end."""

    def __init__(self, function: Callable[..., Any], notes: Path | None, seconds: float) -> None:
        self._function = function
        self._notes = notes
        self._seconds = seconds

    def __call__(self, *args: Any) -> Any:
        if self._notes is None:
            return self._function(*args)
        notes = Notes(self._notes)
        notes.begin()
        time.sleep(self._seconds)
        value = self._function(*args)
        notes.end()
        return value


def tsqr(notes: Path, scale: float) -> Workload:
    """The QR decomposition of a tall matrix."""
    seconds = 0.03 * scale
    graph, keys = _tsqr(notes, seconds)
    return Workload(graph, keys, 2 * BLOCKS, seconds, _tsqr_expected())


def _tsqr(notes: Path | None, seconds: float) -> tuple[dict[Any, Any], list[Any]]:
    block = dask.delayed(Step(_block, notes, seconds), pure=False)
    blocks = [
        da.from_delayed(block(i, dask_key_name=f"block-{i}"), (ROWS, COLUMNS), dtype=float) for i in range(BLOCKS)
    ]
    q, r = da.linalg.tsqr(da.concatenate(blocks))
    q = q.map_blocks(Step(_same, notes, seconds), dtype=float)
    q, r = dask.optimize(q, r)
    keys = [key for (key,) in q.__dask_keys__()]
    return {**q.__dask_graph__(), **r.__dask_graph__()}, [*keys, r.__dask_keys__()[0][0]]


@cache
def _tsqr_expected() -> Any:
    graph, keys = _tsqr(None, 0.0)
    return dask.get(graph, keys)


def _block(number: int) -> Any:
    return np.random.default_rng(number).standard_normal((ROWS, COLUMNS))


def _same(block: Any) -> Any:
    return block


def tree(notes: Path, scale: float) -> Workload:
    """A sum by pairs, of tasks of 10 ms."""
    seconds = 0.01 * scale
    leaf, add = Step(_leaf, notes, seconds), Step(np.add, notes, seconds)
    graph: dict[Any, Any] = {f"0-{i}": (leaf, i) for i in range(LEAVES)}
    level, width = 0, LEAVES
    while width > 1:
        for i in range(width // 2):
            graph[f"{level + 1}-{i}"] = (add, f"{level}-{2 * i}", f"{level}-{2 * i + 1}")
        level, width = level + 1, width // 2
    return Workload(graph, f"{level}-0", len(graph), seconds, sum(_leaf(i) for i in range(LEAVES)))


def _leaf(number: int) -> Any:
    return np.random.default_rng(number).integers(0, 1000, LENGTH)


def all_to_all(notes: Path, scale: float) -> Workload:
    """Layers in which each task needs all of the layer before."""
    seconds = 0.03 * scale
    graph = _all_to_all(notes, seconds)
    keys = [f"{LAYERS}-{i}" for i in range(WIDTH)]
    return Workload(graph, keys, len(graph), seconds, _all_to_all_expected())


def _all_to_all(notes: Path | None, seconds: float) -> dict[Any, Any]:
    leaf, mix = Step(_leaf, notes, seconds), Step(_mix, notes, seconds)
    graph: dict[Any, Any] = {f"0-{i}": (leaf, i) for i in range(WIDTH)}
    for layer in range(LAYERS):
        for i in range(WIDTH):
            graph[f"{layer + 1}-{i}"] = (mix, i, *(f"{layer}-{j}" for j in range(WIDTH)))
    return graph


@cache
def _all_to_all_expected() -> Any:
    return dask.get(_all_to_all(None, 0.0), [f"{LAYERS}-{i}" for i in range(WIDTH)])


def _mix(number: int, *parts: Any) -> Any:
    return sum((np.roll(part, number) * (j + 1) for j, part in enumerate(parts)), np.zeros(LENGTH, int)) % 1009


#: By name: makes the workload, given where its tasks note and how long they take, as a multiple of what is usual.
WORKLOADS: dict[str, Callable[[Path, float], Workload]] = {"tsqr": tsqr, "tree": tree, "all-to-all": all_to_all}


def same(found: Any, expected: Any) -> bool:
    """Whether a result is what it should be; floats may differ by what another order of summing changes."""
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(same, found, expected))
    return found.dtype == expected.dtype and found.shape == expected.shape and bool(np.allclose(found, expected, 1e-9))
