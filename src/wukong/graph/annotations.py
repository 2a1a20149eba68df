"""What a Dask graph says about its tasks beside what they do: `dask.annotate`.

Dask keeps annotations on the layers of a graph, and its optimizations lose them on the way to tasks. Layers are fused
into others whose annotations are merged; then tasks are fused, and there all annotations are dropped. So the layers are
read as they were before that, once as they are and once fused among themselves, and tasks are found again by their keys
(`wukong.graph.convert` knows the keys of what a task was fused from).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import dask
from dask._expr import Expr, HLGExpr
from dask.blockwise import optimize_blockwise
from dask.core import flatten
from dask.highlevelgraph import HighLevelGraph

from wukong.errors import InvalidGraph

#: Whatever `dask.annotate` was given for one task.
Annotations = dict[Hashable, dict[str, Any]]


def annotated(dsk: Any) -> Annotations:
    """The annotations of the keys of a graph, of those that have some.

    Args:
        dsk: A graph in any of Dask's forms. The tasks of a plain dictionary have the annotations of the moment.
    """
    found: Annotations = {}
    if isinstance(dsk, HighLevelGraph):
        _add_layers(found, dsk)
    elif isinstance(dsk, Mapping):
        _add(found, dask.get_annotations(), dsk)
    elif isinstance(dsk, Expr):
        for expr in dsk.find_operations(HLGExpr):
            graph = expr.hlg
            if any(layer.annotations for layer in graph.layers.values()):
                _add_layers(found, graph)
                _add_layers(found, optimize_blockwise(graph, list(flatten(expr.__dask_keys__()))))
    return found


def retries(said: Mapping[str, Any], key: Hashable) -> int | None:
    """How often a task that raises is run again; None where nothing is said.

    Raises:
        InvalidGraph: It is no whole number from 0 on.
    """
    value = said.get("retries")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise InvalidGraph(f"the annotation retries={value!r} of {key!r} is no number of runs: give 0, 1, 2, ...")
    return value


def cost(said: Mapping[str, Any], key: Hashable) -> float | None:
    """The seconds that a task is expected to take; None where nothing is said.

    Raises:
        InvalidGraph: It is no number, or below 0.
    """
    value = said.get("cost")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise InvalidGraph(f"the annotation cost={value!r} of {key!r} is no duration: give seconds, such as 2.5")
    return float(value)


def _add_layers(found: Annotations, graph: HighLevelGraph) -> None:
    for layer in graph.layers.values():
        if layer.annotations:
            _add(found, layer.annotations, layer)


def _add(found: Annotations, said: Mapping[str, Any], keys: Mapping[Hashable, Any]) -> None:
    wanted = {name: said[name] for name in ("retries", "cost") if name in said}
    if not wanted:
        return
    for key in keys:
        of_key = {name: value(key) if callable(value) else value for name, value in wanted.items()}
        found.setdefault(key, {}).update(of_key)
