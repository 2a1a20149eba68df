"""Turns what Dask hands to a scheduler into a `Dag`, in time and memory linear in tasks and edges.

The tasks that the asked-for keys need are found and compiled one after the other (a list that grows while it is read,
so that no depth of graph is too deep), then numbered in depth-first post-order.

On the way aliases vanish (each key that only stands for another one *is* the other one), small constants move into the
tasks that use them, and large values become inputs: tasks without a program whose values are uploaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from dask._task_spec import Alias, DataNode, GraphNode, Task, _is_dask_future
from dask.utils import ensure_dict

from wukong.errors import InvalidGraph
from wukong.graph.annotations import Annotations, annotated, cost, retries
from wukong.graph.compile import Compiler, fused, missing_error
from wukong.graph.dag import Dag, Key, Program
from wukong.graph.embedded import SCALARS, is_large, is_scalar
from wukong.graph.hints import Hints
from wukong.graph.order import cycle_error, depth_first
from wukong.graph.program import same
from wukong.graph.reference import reference_of, value_of

#: What the key of a value begins with that was lifted out of a task's arguments.
LIFTED = "wukong-input"

_ABSENT = object()


def convert(dsk: Any, keys: Any) -> Dag:
    """The part of a Dask graph that the asked-for keys need, ready to be cut into pages.

    Args:
        dsk: What Dask hands over: an expression or collection (anything with `__dask_graph__`), a high-level graph, or
            a dictionary of task objects and of Dask's older plain forms.
        keys: A key, or a list of keys; lists may be nested. A key may be asked for twice.

    Raises:
        InvalidGraph: There is nothing to compute, an asked-for key or a dependency is absent, or there is a cycle.
    """
    said = annotated(dsk)
    if not isinstance(dsk, Mapping):
        dsk = dsk.__dask_graph__()
    conversion = _Conversion(ensure_dict(dsk))
    wanted = list(flatten(keys))
    if not wanted:
        raise InvalidGraph("no keys were asked for, so there is nothing to compute")
    targets = [conversion.demand(key) for key in wanted]
    conversion.run()
    dag = conversion.dag(wanted, targets)
    if said:
        dag.hints = _hints(said, dag.keys, conversion.graph)
    return dag


def flatten(keys: Any) -> Iterator[Key]:
    """The keys of a nested list, from left to right. Only lists nest: a tuple is a key."""
    if not isinstance(keys, list):
        yield keys
        return
    stack = [iter(keys)]
    while stack:
        for key in stack[-1]:
            if isinstance(key, list):
                stack.append(iter(key))
                break
            yield key
        else:
            stack.pop()


def _hints(said: Annotations, keys: Sequence[Key], graph: Mapping[Key, Any]) -> Hints:
    """What the annotations say of each task. A task that Dask fused from several has the most retries of one of them,
    and the time of all."""
    again: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for task, key in enumerate(keys):
        found = [(name, said[name]) for name in (key, *fused(graph.get(key))) if name in said]
        counts = [count for name, values in found if (count := retries(values, name)) is not None]
        costs = [duration for name, values in found if (duration := cost(values, name)) is not None]
        if counts:
            again[task] = max(counts)
        if costs:
            seconds[task] = sum(costs)
    return Hints(again, seconds)


class _Conversion:
    """The tasks found so far, numbered in the order in which they were found."""

    def __init__(self, graph: dict[Key, Any]) -> None:
        self.graph = graph
        #: Values that were folded into the tasks that use them.
        self.constants: list[object] = []
        #: The task of each key that was met, or ~i when its value is constants[i].
        self.tasks: dict[Key, int] = {}
        self._keys: list[Key] = []
        self._nodes: list[Any] = []
        self._programs: list[Program | None] = []
        self._dependencies: list[list[int]] = []
        self._inputs: dict[int, object] = {}
        #: The task of each input, by the identity of its value (which `_inputs` keeps alive).
        self._input_tasks: dict[int, int] = {}
        #: The tasks of constants that were asked for, by the number that `find` gives; their users fold them anyway.
        self._constant_tasks: dict[int, int] = {}
        self._sizes: dict[int, bool] = {}

    # What a compiler asks (`wukong.graph.compile.Names`). ---------------------------------------------------------

    def find(self, key: Key) -> int:
        """The task that computes a key, or ~i when its value is `constants[i]`. `KeyError` when there is none."""
        task = self.tasks.get(key)
        return self._discover(key) if task is None else task

    def place(self, value: object) -> int | None:
        """The task that stands for a large value; None when the value is small enough for the program."""
        if is_scalar(value):
            return None
        if not self._is_large(value):
            return None
        return self._input((LIFTED, len(self._keys)), value)

    # Finding tasks. -----------------------------------------------------------------------------------------------

    def demand(self, key: Key) -> int:
        """The task of a key that was asked for: even a small constant gets one."""
        try:
            task = self.find(key)
        except KeyError as error:
            if error.args[0] == key:
                raise InvalidGraph(f"key {key!r} was asked for, but it is not in the graph") from None
            raise missing_error(key, error.args[0]) from None
        except TypeError:
            raise InvalidGraph(f"{key!r} was asked for, but it cannot be a key: it is not hashable") from None
        if task < 0:
            constant = task
            task = self._constant_tasks.get(constant, -1)
            if task < 0:
                task = self._constant_tasks[constant] = self._add(key, DataNode(key, self.constants[~constant]))
        return task

    def run(self) -> None:
        """Compiles all tasks that were found and those that are found by that."""
        compiler = Compiler(self)
        programs, dependencies = self._programs, self._dependencies
        nodes = self._nodes
        for task, node in enumerate(nodes):  # which grows
            if task in self._inputs:
                programs.append(None)
                dependencies.append([])
                continue
            if type(node) is DataNode:
                programs.append((same, (node.value,)))
                dependencies.append([])
                continue
            try:
                program, needed = compiler.compile(node)
            except KeyError as error:
                raise missing_error(self._keys[task], error.args[0]) from None
            programs.append(program)
            dependencies.append(needed)

    def _discover(self, key: Key) -> int:
        """Finds the task behind a key that was not met before, through any number of aliases."""
        node = self.graph.get(key, _ABSENT)
        kind = type(node)
        if (kind is Task and node.func is not value_of) or (kind is tuple and node and callable(node[0])):
            task = self.tasks[key] = len(self._keys)
            self._keys.append(key)
            self._nodes.append(node)
            return task
        return self._resolve(key)

    def _resolve(self, key: Key) -> int:
        aliases: dict[Key, None] = {}
        task: int | None = None
        while task is None:
            node = self.graph.get(key, _ABSENT)
            if node is _ABSENT:
                raise KeyError(key)
            target = self._alias_target(node)
            if target is _ABSENT:
                task = self.tasks[key] = self._classify(key, node)
            elif target == key:
                raise KeyError(key)  # Dask's way to say that the value is elsewhere
            else:
                if key in aliases:
                    path = list(aliases)
                    raise cycle_error(path[path.index(key) :])
                aliases[key] = None
                key = target
                task = self.tasks.get(key)
        for alias in aliases:
            self.tasks[alias] = task
        return task

    def _alias_target(self, node: Any) -> object:
        kind = type(node)
        if kind is Task or kind is DataNode:
            return _ABSENT
        if kind is Alias:
            return node.target
        if isinstance(node, GraphNode) or (kind is tuple and node and callable(node[0])):
            return _ABSENT
        try:
            if isinstance(node, (int, float, str, tuple)) and node in self.graph:
                return node
        except TypeError:
            return _ABSENT
        if kind not in SCALARS and not isinstance(node, (list, tuple, set, frozenset)) and _is_dask_future(node):
            return node.key
        return _ABSENT

    def _classify(self, key: Key, node: Any) -> int:
        if (reference := reference_of(node)) is not None:
            return self._input(key, reference)
        kind = type(node)
        if kind is DataNode:
            value = node.value
        elif isinstance(node, (GraphNode, list, tuple, set, frozenset)):
            return self._add(key, node)
        else:
            value = node
        if is_scalar(value):
            self.constants.append(value)
            return ~(len(self.constants) - 1)
        if self._is_large(value):
            return self._input(key, value)
        return self._add(key, node if kind is DataNode else DataNode(key, value))

    def _add(self, key: Key, node: Any) -> int:
        self._keys.append(key)
        self._nodes.append(node)
        return len(self._keys) - 1

    def _input(self, key: Key, value: object) -> int:
        task = self._input_tasks.get(id(value))
        if task is None:
            task = self._input_tasks[id(value)] = self._add(key, None)
            self._inputs[task] = value
        return task

    def _is_large(self, value: object) -> bool:
        # Collections may be made on the way and die again, so their identity says nothing.
        if type(value) in (list, tuple, dict, set, frozenset):
            return is_large(value)
        large = self._sizes.get(id(value))
        if large is None:
            large = self._sizes[id(value)] = is_large(value)
        return large

    # Numbering tasks. ---------------------------------------------------------------------------------------------

    def dag(self, wanted: list[Key], targets: list[int]) -> Dag:
        """The result, with the tasks in depth-first post-order."""
        order = depth_first(self._dependencies, targets, self._keys.__getitem__)
        position = np.zeros(len(self._keys), np.uint32)
        position[order] = np.arange(len(order), dtype=np.uint32)
        dependencies = [self._dependencies[task] for task in order]
        offsets = np.zeros(len(order) + 1, np.uint32)
        np.cumsum(np.fromiter(map(len, dependencies), np.uint32, len(order)), out=offsets[1:])
        flat = np.fromiter(chain.from_iterable(dependencies), np.int64, int(offsets[-1]))
        ids = position[targets].tolist()
        return Dag(
            keys=[self._keys[task] for task in order],
            programs=[self._programs[task] for task in order],
            dep_offsets=offsets,
            deps=position[flat],
            targets=np.array(list(dict.fromkeys(ids)), np.uint32),
            inputs={int(position[task]): value for task, value in self._inputs.items()},
            index=dict(zip(wanted, ids, strict=True)),
        )
