"""The graphs that grow: their values are known without computing them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.workloads import chain, fan_out, independent, tree


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of graph.

    Attributes:
        name: What it is called.
        build: The graph and the keys that are asked for, of a size that is about the number of tasks.
        value: What these keys are, of the same size.
    """

    name: str
    build: Callable[[int], tuple[dict[Any, Any], Any]]
    value: Callable[[int], Any]


def leaves(tasks: int) -> int:
    """Leaves of the binary tree that has about so many tasks: a power of two."""
    return 1 << max(1, round(math.log2(tasks / 2)))


CHAIN = Shape("chain", chain, lambda tasks: tasks)
TREE = Shape("tree", lambda tasks: tree(leaves(tasks)), lambda tasks: leaves(tasks) * (leaves(tasks) + 1) // 2)
MAP = Shape("map", independent, lambda tasks: tuple(range(1, tasks + 1)))
#: One task, `tasks` that use it, and one that uses them all.
FAN_IN = Shape("fan-in", fan_out, lambda tasks: tasks + tasks * (tasks - 1) // 2)

GROWING = (CHAIN, TREE, MAP)
