"""The graphs that are measured: plain Dask dictionaries, the same objects for every engine."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Workload:
    """One graph. `goal` is the largest accepted ratio of Wukong's time to Dask's synchronous scheduler's."""

    name: str
    build: Callable[[], tuple[dict[Any, Any], Any]]
    goal: float


def increment(value: int) -> int:
    return value + 1


def chain(length: int) -> tuple[dict[Any, Any], Any]:
    """Tasks one after the other."""
    graph: dict[Any, Any] = {("chain", 0): (increment, 0)}
    graph |= {("chain", i): (increment, ("chain", i - 1)) for i in range(1, length)}
    return graph, ("chain", length - 1)


def fan_out(width: int) -> tuple[dict[Any, Any], Any]:
    """One task, many that use it, one that uses them all."""
    graph: dict[Any, Any] = {"source": (increment, 0)}
    graph |= {("part", i): (operator.add, "source", i) for i in range(width)}
    graph["sum"] = (sum, [("part", i) for i in range(width)])
    return graph, "sum"


def tree(leaves: int) -> tuple[dict[Any, Any], Any]:
    """A binary reduction."""
    level: list[Any] = [("leaf", i) for i in range(leaves)]
    graph: dict[Any, Any] = {key: (increment, key[1]) for key in level}
    depth = 0
    while len(level) > 1:
        depth += 1
        parents = [("node", depth, i) for i in range(len(level) // 2)]
        graph |= {key: (operator.add, level[2 * i], level[2 * i + 1]) for i, key in enumerate(parents)}
        level = parents
    return graph, level[0]


def independent(count: int) -> tuple[dict[Any, Any], Any]:
    """Tasks that have nothing to do with each other, all asked for."""
    graph: dict[Any, Any] = {("task", i): (increment, i) for i in range(count)}
    return graph, list(graph)


WORKLOADS = (
    Workload("chain of 1,000", lambda: chain(1000), goal=2.0),
    Workload("fan-out of 2,000, one fan-in", lambda: fan_out(2000), goal=2.0),
    Workload("tree of 1,024 leaves", lambda: tree(1024), goal=2.0),
    Workload("10,000 independent tasks", lambda: independent(10_000), goal=2.0),
)
