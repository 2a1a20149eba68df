"""The job that is disturbed: layers of slow tasks, each of which needs all of the layer before it.

So its values go through the key-value store wherever several executors share the work, and what is lost matters.
"""

from __future__ import annotations

import time
from typing import Any

import dask
import numpy as np

WIDTH, LAYERS = 10, 4
TASKS = WIDTH * (LAYERS + 1)
#: Seconds of a task: two environments take some seconds for all.
SECONDS = 0.2
#: More than a mark in the metadata store holds.
LENGTH = 20_000
KEYS = [f"{LAYERS}-{i}" for i in range(WIDTH)]


def graph(seconds: float = SECONDS) -> dict[Any, Any]:
    """The graph, whose keys are `KEYS`."""
    found: dict[Any, Any] = {f"0-{i}": (_leaf, seconds, i) for i in range(WIDTH)}
    for layer in range(LAYERS):
        for i in range(WIDTH):
            found[f"{layer + 1}-{i}"] = (_mix, seconds, i, [f"{layer}-{j}" for j in range(WIDTH)])
    return found


def check(values: Any) -> None:
    """Compare the values of `KEYS` with Dask's own."""
    expected = dask.get(graph(0.0), KEYS)
    assert len(values) == len(expected)
    for found, wanted in zip(values, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def _leaf(seconds: float, number: int) -> Any:
    time.sleep(seconds)
    return np.random.default_rng(number).integers(0, 1000, LENGTH)


def _mix(seconds: float, number: int, parts: list[Any]) -> Any:
    time.sleep(seconds)
    return sum((np.roll(part, number) * (j + 1) for j, part in enumerate(parts)), np.zeros(LENGTH, int)) % 1009
