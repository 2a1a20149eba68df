"""Places boxes of a directed graph in columns, so that most arrows point to the right and few cross. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import networkx


@dataclass(frozen=True, slots=True)
class Place:
    """Where a box is, in pixels.

    Attributes:
        x: Of its left side.
        y: Of its upper side.
        width: Its own.
        height: Its own.
        column: The number of its column, from the left.
    """

    x: float
    y: float
    width: float
    height: float
    column: int

    @property
    def middle(self) -> float:
        """The height of its middle."""
        return self.y + self.height / 2


def columns(graph: networkx.DiGraph) -> list[list[Hashable]]:
    """The nodes of each column, from top to bottom.

    A node stands left of all that it leads to, as far to the right as that lets it; nodes that lead to each other share
    a column. Within a column the order is that of the neighbours on both sides.
    """
    knots = networkx.condensation(graph)
    depth: dict[int, int] = {}
    for knot in reversed(list(networkx.lexicographical_topological_sort(knots))):
        depth[knot] = max((depth[after] + 1 for after in knots.successors(knot)), default=0)
    last = max(depth.values())
    found: list[list[Hashable]] = [[] for _ in range(last + 1)]
    for knot, members in sorted(knots.nodes(data="members"), key=lambda pair: sorted(map(str, pair[1]))):
        found[last - depth[knot]] += sorted(members, key=str)
    for _ in range(8):
        order = {node: (number + 0.5) / len(column) for column in found for number, node in enumerate(column)}
        for column in found:
            column.sort(key=lambda node: (_balance(graph, node, order), str(node)))
            order |= {node: (number + 0.5) / len(column) for number, node in enumerate(column)}
    return found


def _balance(graph: networkx.DiGraph, node: Hashable, order: Mapping[Hashable, float]) -> float:
    beside = [order[other] for other in (*graph.predecessors(node), *graph.successors(node)) if other != node]
    return sum(beside) / len(beside) if beside else order[node]


def places(
    graph: networkx.DiGraph,
    sizes: Mapping[Hashable, tuple[float, float]],
    *,
    gap: float,
    between: float,
    top: float = 0.0,
) -> dict[Hashable, Place]:
    """Where each box is: columns beside each other, each around the same middle.

    Args:
        graph: The boxes and their arrows.
        sizes: Width and height of each.
        gap: Between columns.
        between: Between boxes of a column.
        top: The upper side of the highest column.
    """
    made = columns(graph)
    heights = [sum(sizes[node][1] for node in column) + between * (len(column) - 1) for column in made]
    found, x = {}, gap / 2
    for number, column in enumerate(made):
        y = top + (max(heights) - heights[number]) / 2
        width = max(sizes[node][0] for node in column)
        for node in column:
            found[node] = Place(x, y, width, sizes[node][1], number)
            y += sizes[node][1] + between
        x += width + gap
    return found
