"""Graphs of trivial tasks: plain Dask dictionaries, the same for every engine."""

from __future__ import annotations

import operator
import time
from typing import Any

import numpy as np

#: A graph, and the keys that are asked for.
Asked = tuple[dict[Any, Any], Any]


def increment(value: int) -> int:
    return value + 1


def sleep_and_increment(value: int, seconds: float) -> int:
    time.sleep(seconds)
    return value + 1


def chain(length: int) -> Asked:
    """Tasks one after the other."""
    graph: dict[Any, Any] = {("chain", 0): (increment, 0)}
    graph |= {("chain", i): (increment, ("chain", i - 1)) for i in range(1, length)}
    return graph, ("chain", length - 1)


def fan_out(width: int) -> Asked:
    """One task, many that use it, one that uses them all."""
    graph: dict[Any, Any] = {"source": (increment, 0)}
    graph |= {("part", i): (operator.add, "source", i) for i in range(width)}
    graph["sum"] = (sum, [("part", i) for i in range(width)])
    return graph, "sum"


def tree(leaves: int, seconds: float = 0) -> Asked:
    """A binary reduction whose leaves sleep; `leaves` is a power of two."""
    level: list[Any] = [("leaf", i) for i in range(leaves)]
    graph: dict[Any, Any] = {}
    for key in level:
        graph[key] = (sleep_and_increment, key[1], seconds) if seconds else (increment, key[1])
    depth = 0
    while len(level) > 1:
        depth += 1
        parents = [("node", depth, i) for i in range(len(level) // 2)]
        graph |= {key: (operator.add, level[2 * i], level[2 * i + 1]) for i, key in enumerate(parents)}
        level = parents
    return graph, level[0]


def independent(count: int) -> Asked:
    """Tasks that have nothing to do with each other, all asked for."""
    graph: dict[Any, Any] = {("task", i): (increment, i) for i in range(count)}
    return graph, list(graph)


def pieces(seed: int, count: int, nbytes: int) -> list[np.ndarray[Any, Any]]:
    """Arrays of that many bytes, each with memory of its own, as a shuffle cuts them."""
    random = np.random.default_rng(seed)
    return [random.random(nbytes // 8) for _ in range(count)]


def total(parts: list[np.ndarray[Any, Any]]) -> float:
    return float(np.concatenate(parts).sum())


def all_to_all(width: int, nbytes: int) -> Asked:
    """`width` tasks that each make a piece for every one of `width` others, as a shuffle by tasks does."""
    graph: dict[Any, Any] = {("cut", i): (pieces, i, width, nbytes) for i in range(width)}
    for j in range(width):
        graph |= {("piece", i, j): (operator.getitem, ("cut", i), j) for i in range(width)}
        graph[("total", j)] = (total, [("piece", i, j) for i in range(width)])
    return graph, [("total", j) for j in range(width)]
