"""Compiles the nodes of a Dask graph into programs.

Theory of operation
-------------------
A node is a task object of `dask._task_spec`, or one of Dask's older plain forms: a tuple whose first item is callable,
a key that stands for another task, a list of such. `dask._task_spec.convert_legacy_task` defines what the plain forms
mean, and `Task.__call__` what the objects mean; both are followed here to the letter, but nothing is built in between.
Two rules are easy to overlook: a plain form is searched for keys (and a dictionary in it only if it is itself an
argument, and even then its values are not), while an argument of a task object is never searched at all.

Task objects inside arguments become earlier steps of the program, and so do all tasks of a fused sub-graph. Blockwise
layers share one sub-graph among all their tasks, so its program is built once and shared.

The recursion here follows nested arguments, as Dask's own does; it never follows dependencies.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from dask._task_spec import (
    Alias,
    DataNode,
    Dict,
    GraphNode,
    List,
    Set,
    Task,
    TaskRef,
    Tuple,
    _execute_subgraph,
    _identity_cast,
    _is_dask_future,
    convert_legacy_task,
)
from dask.utils import is_namedtuple_instance

from wukong.errors import InvalidGraph
from wukong.graph.builder import Builder, Interned, Slot
from wukong.graph.dag import Key, Program
from wukong.graph.embedded import LONGEST_SCALAR
from wukong.graph.order import cycle_error
from wukong.graph.program import as_dict, as_list, as_set, as_tuple, call_node
from wukong.graph.reference import ReferenceTask

_CONTAINERS: dict[type, Callable[..., Any]] = {List: as_list, Tuple: as_tuple, Set: as_set, Dict: as_dict}
_CASTS: dict[type, Callable[..., Any]] = {list: as_list, tuple: as_tuple, set: as_set}
#: Types whose values may be keys where a plain form has them.
_PLAIN_KEYS = (str, tuple, int, float, bool)
#: Types of constants that are small, whatever their value.
_SIMPLE = frozenset({type(None), bool, int, float, complex, type, types.FunctionType, types.BuiltinFunctionType})
#: Dependencies that a task may have to count as simple.
_FEW = 32
_COLLECTIONS = (list, tuple, set, frozenset)


def fused(node: object) -> Iterable[Key]:
    """The keys of the tasks that Dask fused into one; none of one that it did not."""
    if isinstance(node, Task) and node.func is _execute_subgraph and _is_subgraph(node.args):
        inner: Mapping[Key, Any] = node.args[0]
        return inner.keys()
    return ()


class Names(Protocol):
    """What a compiler asks about the graph around a node."""

    graph: dict[Key, Any]
    #: What `find` has answered so far.
    tasks: dict[Key, int]
    #: Values that consumers hold themselves.
    constants: list[object]

    def find(self, key: Key) -> int:
        """The task that computes a key, or ~i when its value is `constants[i]`. `KeyError` when there is none."""

    def place(self, value: object) -> int | None:
        """The task that stands for a large value; None when the value is small enough for the program."""


class _Scope(dict[Key, Any]):
    """The operands of the keys inside a fused sub-graph."""


class Compiler:
    """Compiles one node after the other; shares equal parts among their programs."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._interned = Interned()
        self._builder = Builder(self._interned)
        #: By the identity of a fused sub-graph: its output, its inputs, and its program for each form of input.
        self._templates: dict[int, tuple[Key, tuple[Key, ...], dict[object, tuple[Program, list[int]]]]] = {}

    def compile(self, node: Any) -> tuple[Program, list[int]]:
        """The program of a node and its distinct dependencies, as the numbers that `Names.find` gave.

        Raises:
            KeyError: A key that the node needs is not in the graph.
            InvalidGraph: A fused sub-graph inside the node has a cycle.
        """
        kind = type(node)
        plain = kind is tuple and node and callable(node[0])
        if plain:
            simple = self._simple(node[0], node[1:], _PLAIN_KEYS)
        elif kind is Task and not node.kwargs and node.func is not _execute_subgraph:
            simple = self._simple(node.func, node.args, ())
        else:
            simple = None
        if simple is not None:
            return simple
        if kind is Task and node.func is _execute_subgraph:
            shared = self._shared(node.args)
            if shared is not None:
                return shared
        builder = self._builder = Builder(self._interned)
        if plain:
            return builder.finish(self._plain_call(node))
        if isinstance(node, GraphNode):
            return builder.finish(self._node(node, None))
        return builder.finish(self._whole(node))

    def _simple(
        self, function: Callable[..., Any], args: tuple[Any, ...], keys: tuple[type, ...]
    ) -> tuple[Program, list[int]] | None:
        """The program of a call whose arguments are keys and small constants only; None when they are not.

        This says nothing that the general way below does not say; it is there because most tasks are such, and it
        takes a third of the time.

        Args:
            keys: The types of argument that may be a key as they stand.
        """
        tasks = self._names.tasks
        dependencies: list[int] = []
        references: list[tuple[int, int]] = []
        folded: dict[int, object] | None = None
        position = -1
        for argument in args:
            position += 1
            kind = type(argument)
            if kind is TaskRef:
                key = argument.key
                task = tasks.get(key)
            elif kind in keys:
                if kind is tuple and (not argument or callable(argument[0])):
                    return None
                key = argument
                try:
                    task = tasks.get(key)
                except TypeError:
                    return None
                if task is None and key not in self._names.graph:
                    if kind is tuple or (kind is str and len(key) > LONGEST_SCALAR):
                        return None
                    continue
            elif kind in _SIMPLE or (kind is str and len(argument) <= LONGEST_SCALAR):
                continue
            else:
                return None
            if task is None:
                task = self._names.find(key)
            if task < 0:
                folded = folded or {}
                folded[position] = self._names.constants[~task]
            elif task in dependencies:
                references.append((position, dependencies.index(task)))
            else:
                slot = len(dependencies)
                if slot == _FEW:
                    return None  # searching a longer list would take quadratic time
                references.append((position, slot))
                dependencies.append(task)
        if not references and folded is None:
            return (function, args), dependencies
        count = len(args)
        if len(references) == len(dependencies) == count:
            # As many as there are arguments: each of them was new, so they are in their order.
            return self._interned.plain_call(function), dependencies
        arguments = list(args)
        for position, _ in references:
            arguments[position] = None
        if folded is not None:
            for position, value in folded.items():
                arguments[position] = value
        return self._interned.one_call(function, tuple(arguments), tuple(references), len(dependencies)), dependencies

    # The plain forms. ---------------------------------------------------------------------------------------------

    def _plain_call(self, task: tuple[Any, ...]) -> Slot:
        operands = []
        graph = self._names.graph
        for argument in task[1:]:
            kind = type(argument)
            if kind is str and argument not in graph and len(argument) <= LONGEST_SCALAR:
                operands.append(argument)
            elif isinstance(argument, dict):
                items = [item for pair in argument.items() for item in pair]
                operands.append(self._builder.call(as_dict, [self._argument(item, None) for item in items]))
            else:
                operands.append(self._whole(argument))
        return self._builder.call(task[0], operands)

    def _whole(self, value: Any) -> Any:
        """The operand of a plain form that is not part of a list: one that turns out a constant may be large."""
        operand = self._plain(value)
        return self._constant(operand) if type(operand) in _COLLECTIONS else operand

    def _plain(self, value: Any) -> Any:
        """The operand that a plain form stands for."""
        kind = type(value)
        if kind is tuple and value and callable(value[0]):
            return self._plain_call(value)
        if isinstance(value, GraphNode):
            return self._node(value, None)
        if isinstance(value, (int, float, str, tuple)):
            try:
                if value in self._names.graph:
                    return self._key(value, None)
            except TypeError:
                pass  # a tuple that holds something unhashable is no key
        if isinstance(value, _COLLECTIONS):
            if is_namedtuple_instance(value):
                return self._argument(convert_legacy_task(None, value, self._names.graph), None)
            return self._plain_container(value)
        if _is_dask_future(value):
            return self._key(value.key, None)
        return self._constant(value)

    def _plain_container(self, container: Any) -> Any:
        kind = type(container)
        operands = [self._plain(item) for item in container]
        if any(type(operand) is Slot for operand in operands):
            return self._cast(kind, operands)
        return kind(operands)

    def _cast(self, kind: type, operands: list[Any]) -> Slot:
        function = _CASTS.get(kind)
        if function is not None:
            return self._builder.call(function, operands)
        return self._builder.call(_identity_cast, operands, {"typ": kind})

    # The task objects. --------------------------------------------------------------------------------------------

    def _argument(self, value: Any, scope: _Scope | None) -> Any:
        """The operand that an argument of a task object stands for: only the object itself counts, not its items."""
        if isinstance(value, GraphNode):
            return self._node(value, scope)
        if isinstance(value, TaskRef):
            return self._key(value.key, scope)
        return self._constant(value)

    def _node(self, node: GraphNode, scope: _Scope | None) -> Any:
        kind = type(node)
        if kind is Alias:
            return self._key(node.target, scope)
        if kind is DataNode:
            return self._constant(node.value)
        if kind in _CONTAINERS:
            return self._builder.call(_CONTAINERS[kind], [self._argument(a, scope) for a in node.args])
        if kind is not Task and kind is not ReferenceTask:
            keys = tuple(node.dependencies)
            return self._builder.call(call_node, [node, keys, *[self._key(key, scope) for key in keys]])
        function = node.func
        if function is _execute_subgraph and _is_subgraph(node.args):
            inner, outkey, inkeys, *outer = node.args
            operands = [self._argument(a, scope) for a in outer]
            return self._subgraph(inner, outkey, _Scope(zip(inkeys, operands, strict=False)))
        operands = [self._argument(a, scope) for a in node.args]
        if not node.kwargs:
            return self._builder.call(function, operands)
        if function is _identity_cast and node.kwargs.keys() == {"typ"}:
            return self._cast(node.kwargs["typ"], operands)
        keywords = {name: self._argument(a, scope) for name, a in node.kwargs.items()}
        return self._builder.call(function, operands, keywords)

    def _key(self, key: Key, scope: _Scope | None) -> Any:
        if scope is not None:
            return scope[key]
        task = self._names.find(key)
        if task < 0:
            return self._names.constants[~task]
        return self._builder.dependency(task)

    def _constant(self, value: object) -> Any:
        task = self._names.place(value)
        return value if task is None else self._builder.dependency(task)

    # Fused sub-graphs. --------------------------------------------------------------------------------------------

    def _subgraph(self, inner: Mapping[Key, Any], outkey: Key, scope: _Scope) -> Any:
        """The operand of `outkey`, after a walk in depth-first order over what it needs of the inner graph."""
        stack = [outkey]
        opened: dict[Key, None] = {}
        while stack:
            key = stack[-1]
            if key in scope:
                stack.pop()
                continue
            node = inner[key]
            waiting = [needed for needed in _needs(node) if needed not in scope]
            if waiting:
                if key in opened:
                    path = list(opened)
                    raise cycle_error(path[path.index(key) :])
                opened[key] = None
                stack += reversed(waiting)
                continue
            opened.pop(key, None)
            scope[key] = self._node(node, scope)
            stack.pop()
        return scope[outkey]

    def _shared(self, args: tuple[Any, ...]) -> tuple[Program, list[int]] | None:
        """The program of a fused task and its dependencies; all tasks that share the inner graph and have inputs of the
        same form share it. None when an input is more than a task or a small constant."""
        if not _is_subgraph(args) or len(args[2]) != len(args) - 3:
            return None
        inner, outkey, inkeys, *outer = args
        dependencies: dict[int, int] = {}
        form: list[object] = []
        values: list[object] = []
        for argument in outer:
            value = None
            if type(argument) is TaskRef:
                task = self._names.find(argument.key)
                if task >= 0:
                    form.append(dependencies.setdefault(task, len(dependencies)))
                    values.append(None)
                    continue
                value = self._names.constants[~task]
            elif type(argument) is DataNode:
                value = argument.value
            else:
                return None
            frozen = _frozen(value)
            if frozen is None:
                return None
            form.append(frozen)
            values.append(value)
        templates = self._templates.get(id(inner))
        if templates is None or templates[0] != outkey or templates[1] != inkeys:
            templates = self._templates[id(inner)] = (outkey, inkeys, {})
        template = templates[2].get(tuple(form))
        if template is None:
            builder = self._builder = Builder(self._interned)
            slots = [builder.dependency(~number) for number in range(len(dependencies))]
            operands = [slots[part] if type(part) is int else v for part, v in zip(form, values, strict=True)]
            program, needed = builder.finish(self._subgraph(inner, outkey, _Scope(zip(inkeys, operands, strict=True))))
            template = templates[2][tuple(form)] = (program, needed[len(slots) :])
        program, lifted = template
        if lifted and not dependencies.keys().isdisjoint(lifted):
            return None
        return program, [*dependencies, *lifted]


def _frozen(value: object) -> object:
    """What equal small constants have in common and no others; None for values that may not be compared."""
    kind = type(value)
    if kind is tuple:
        parts = tuple([_frozen(item) for item in value])  # type: ignore[attr-defined]
        return None if None in parts else parts
    if kind is float or kind is complex:
        return kind, repr(value)  # 0.0 and -0.0 are equal
    if kind is str or kind is bytes:
        return (kind, value) if len(value) <= LONGEST_SCALAR else None  # type: ignore[arg-type]
    if kind in (type, types.FunctionType, types.BuiltinFunctionType):
        return kind, id(value)
    return (kind, value) if kind in _SIMPLE else None


def _is_subgraph(args: tuple[Any, ...]) -> bool:
    """Whether the arguments of `_execute_subgraph` are of the form that Dask makes."""
    return len(args) >= 3 and type(args[0]) is dict and type(args[2]) is tuple


def _needs(node: Any) -> Iterable[Key]:
    """The keys that a node of a fused sub-graph needs, in the order in which it names them."""
    if type(node) is not Task:
        return tuple(node.dependencies)
    keys: dict[Key, None] = {}
    for argument in (*node.args, *node.kwargs.values()):
        if isinstance(argument, TaskRef):
            keys[argument.key] = None
        elif isinstance(argument, GraphNode):
            keys.update(dict.fromkeys(argument.dependencies))
    return keys


def missing_error(key: Key, needed: Key) -> InvalidGraph:
    """The error for a task that needs what the graph does not have."""
    return InvalidGraph(f"task {key!r} depends on {needed!r}, which is not in the graph")
