"""Places boxes of a directed graph in columns, so that most arrows point to the right and few cross. Pure.

An arrow over several columns has a place of its own in each of those between, so that it passes between boxes.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

import networkx

#: The height of an arrow that passes a column.
PASSING = 14.0


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


@dataclass(frozen=True, slots=True)
class Layout:
    """Where boxes and arrows are.

    Attributes:
        boxes: Node -> its place.
        ways: Edge over several columns -> the places in those between, from the left.
    """

    boxes: Mapping[Hashable, Place]
    ways: Mapping[tuple[Hashable, Hashable], list[Place]]


def depths(graph: networkx.DiGraph) -> dict[Hashable, int]:
    """The column of each node, from the left.

    A node stands left of all that it leads to, as far to the right as that lets it; nodes that lead to each other share
    a column.
    """
    knots = networkx.condensation(graph)
    height: dict[int, int] = {}
    for knot in reversed(list(networkx.topological_sort(knots))):
        height[knot] = max((height[after] + 1 for after in knots.successors(knot)), default=0)
    last = max(height.values())
    return {node: last - height[knots.graph["mapping"][node]] for node in graph}


def columns(graph: networkx.DiGraph) -> list[list[Hashable]]:
    """The nodes of each column, and the edges (as pairs) that pass it, from top to bottom.

    The order is that of the neighbours on both sides.
    """
    depth = depths(graph)
    found: list[list[Hashable]] = [[] for _ in range(max(depth.values()) + 1)]
    beside: dict[tuple[int, Hashable], list[tuple[int, Hashable]]] = {}
    for node in sorted(graph, key=str):
        found[depth[node]].append(node)
    for edge in sorted(graph.edges, key=str):
        path: list[tuple[int, Hashable]] = [(depth[edge[0]], edge[0])]
        for passed in range(depth[edge[0]] + 1, depth[edge[1]]):
            found[passed].append(edge)
            path.append((passed, edge))
        path.append((depth[edge[1]], edge[1]))
        for one, other in itertools.pairwise(path):
            beside.setdefault(one, []).append(other)
            beside.setdefault(other, []).append(one)
    order = {(number, node): _share(column, node) for number, column in enumerate(found) for node in column}
    for _ in range(12):
        for number, column in enumerate(found):
            balance = {node: _balance(order, beside.get((number, node), [(number, node)])) for node in column}
            column.sort(key=lambda node: (balance[node], str(node)))
            order |= {(number, node): _share(column, node) for node in column}
    return found


def _share(column: list[Hashable], node: Hashable) -> float:
    return (column.index(node) + 0.5) / len(column)


def _balance(order: Mapping[tuple[int, Hashable], float], near: Iterable[tuple[int, Hashable]]) -> float:
    shares = [order[one] for one in near]
    return sum(shares) / len(shares)


def layout(
    graph: networkx.DiGraph, sizes: Mapping[Hashable, tuple[float, float]], *, gap: float, between: float, top: float
) -> Layout:
    """Where everything is: columns beside each other, each around the same middle.

    Args:
        graph: The boxes and their arrows.
        sizes: Width and height of each box.
        gap: Between columns.
        between: Between what is in a column.
        top: The upper side of the highest column.
    """
    made = columns(graph)
    tall = [sum(_height(sizes, one) for one in column) + between * (len(column) - 1) for column in made]
    boxes: dict[Hashable, Place] = {}
    ways: dict[tuple[Hashable, Hashable], list[Place]] = {}
    x = gap / 2
    for number, column in enumerate(made):
        y = top + (max(tall) - tall[number]) / 2
        width = max(sizes[one][0] for one in column if one in sizes)
        for one in column:
            place = Place(x, y, width, _height(sizes, one), number)
            if one in sizes:
                boxes[one] = place
            elif isinstance(one, tuple):
                ways.setdefault(one, []).append(place)
            y += place.height + between
        x += width + gap
    return Layout(boxes, ways)


def _height(sizes: Mapping[Hashable, tuple[float, float]], one: Hashable) -> float:
    return sizes[one][1] if one in sizes else PASSING
