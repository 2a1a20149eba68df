"""Tasks that name their function: what clients in other languages submit.

A call is `package.module:name` with arguments that are JSON values. Anywhere in them `{"$task": "id"}` stands for
another task's value, and `{"$literal": x}` for x as it stands. The scheduler orders calls and cuts them into pages of
JSON, in which a reference is the number of the dependency; it imports nothing. The executor compiles them into the same
programs that Python clients send, and looks functions up in its allow-list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import Any

import numpy as np

from wukong.errors import InvalidGraph
from wukong.graph.builder import Builder, Interned, Slot
from wukong.graph.dag import Ids, Key, Program
from wukong.graph.functions import not_offered
from wukong.graph.order import depth_first
from wukong.graph.program import as_dict, as_list

CALLS = b"J"
_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_TASK, _LITERAL = "$task", "$literal"
_MOST_TASKS = 256
_MOST_BYTES = 256 * 1024
_DEEPEST = 100
#: Above this a double does not hold every integer.
_EXACT = 2**53


@dataclass(frozen=True, slots=True)
class Call:
    """One task: its id, the function it names and the JSON values that are its arguments."""

    id: str
    function: str
    args: Sequence[object] = ()
    kwargs: Mapping[str, object] = field(default_factory=dict)
    #: How often it is run again when it raises; None for as often as the job says.
    retries: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Calls in depth-first order, cut into pages; the arrays are those of `wukong.graph.dag.Dag`."""

    #: The ids of the tasks, in order.
    keys: list[str]
    dep_offsets: Ids
    deps: Ids
    targets: Ids
    #: The first task of each page, and each page's payload.
    firsts: list[int]
    payloads: list[bytes]


def plan(calls: Sequence[Call], targets: Sequence[str]) -> Plan:
    """What the scheduler submits for calls: those that the targets need, in order.

    Args:
        calls: The tasks, in any order.
        targets: The ids whose values are asked for; an id may come twice.

    Raises:
        InvalidGraph: No target, an id given twice, an unknown id, a cycle, or arguments that are not of the form above.
    """
    if not targets:
        raise InvalidGraph("no targets were asked for, so there is nothing to compute")
    numbers: dict[str, int] = {}
    for number, call in enumerate(calls):
        if numbers.setdefault(call.id, number) != number:
            raise InvalidGraph(f"two tasks have the id {call.id!r}")
        if not _FUNCTION.fullmatch(call.function):
            raise InvalidGraph(f"task {call.id!r} calls {call.function!r}, which is not of the form module:name")
    for target in targets:
        if target not in numbers:
            raise InvalidGraph(f"target {target!r} was asked for, but there is no task with this id")
    dependencies: list[list[int]] = []
    bodies: list[bytes] = []
    for call in calls:
        writer = _Writer(call.id, numbers)
        args = [writer.value(arg, 0) for arg in call.args]
        kwargs = {name: writer.value(arg, 0) for name, arg in call.kwargs.items()}
        dependencies.append(list(writer.slots))
        said = [] if call.retries is None else [call.retries]
        bodies.append(json.dumps([call.id, call.function, len(writer.slots), args, kwargs, *said]).encode())
    order = depth_first(dependencies, dict.fromkeys(numbers[t] for t in targets), lambda task: calls[task].id)
    position = {task: place for place, task in enumerate(order)}
    firsts, payloads = _cut([bodies[task] for task in order])
    return Plan(
        keys=[calls[task].id for task in order],
        dep_offsets=np.array([0, *accumulate(len(dependencies[task]) for task in order)], np.uint32),
        deps=np.array([position[d] for d in chain.from_iterable(dependencies[task] for task in order)], np.uint32),
        targets=np.array(list(dict.fromkeys(position[numbers[target]] for target in targets)), np.uint32),
        firsts=firsts,
        payloads=payloads,
    )


def compile_calls(
    data: bytes | memoryview, functions: Mapping[str, Callable[..., Any]]
) -> tuple[Sequence[Key], Sequence[Program], Mapping[int, int]]:
    """The ids, programs and retries, by place, of a page of calls (its payload without the first byte).

    Raises:
        InvalidGraph: A call names a function that is not among `functions`.
    """
    keys: list[Key] = []
    programs: list[Program] = []
    retries: dict[int, int] = {}
    interned = Interned()
    for key, name, needs, args, kwargs, *said in json.loads(bytes(data)):
        if said:
            retries[len(keys)] = said[0]
        function = functions.get(name)
        if function is None:
            raise not_offered(key, name)
        builder = Builder(interned)
        slots = [builder.dependency(number) for number in range(needs)]
        operands = [_operand(arg, slots, builder) for arg in args]
        keywords = {keyword: _operand(arg, slots, builder) for keyword, arg in kwargs.items()}
        program, _ = builder.finish(builder.call(function, operands, keywords))
        keys.append(key)
        programs.append(program)
    return keys, programs, retries


class _Writer:
    """Rewrites the arguments of one call: references become numbers, and integral numbers integers."""

    def __init__(self, key: str, numbers: Mapping[str, int]) -> None:
        self._key = key
        self._numbers = numbers
        #: The task's distinct dependencies, each with its slot.
        self.slots: dict[int, int] = {}

    def value(self, value: object, depth: int, literal: bool = False) -> object:
        if depth > _DEEPEST:
            raise InvalidGraph(f"the arguments of task {self._key!r} are nested more than {_DEEPEST} deep")
        if isinstance(value, dict):
            if not literal and _TASK in value:
                return {_TASK: self._slot(value)}
            if not literal and _LITERAL in value:
                if len(value) > 1:
                    raise InvalidGraph(f"task {self._key!r} has {_LITERAL!r} beside other names: {list(value)}")
                return {_LITERAL: self.value(value[_LITERAL], depth + 1, True)}
            return {name: self.value(item, depth + 1, literal) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item, depth + 1, literal) for item in value]
        if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
            return int(value)
        if value is None or isinstance(value, (str, int, float)):
            return value
        raise InvalidGraph(f"task {self._key!r} has an argument that JSON does not know: {type(value).__name__}")

    def _slot(self, reference: Mapping[str, object]) -> int:
        needed = reference[_TASK]
        if len(reference) > 1 or not isinstance(needed, str):
            raise InvalidGraph(f'task {self._key!r} has a reference that is not of the form {{"$task": "id"}}')
        number = self._numbers.get(needed)
        if number is None:
            raise InvalidGraph(f"task {self._key!r} depends on {needed!r}, which is not in the graph")
        return self.slots.setdefault(number, len(self.slots))


def _operand(value: Any, slots: list[Slot], builder: Builder) -> Any:
    if isinstance(value, dict):
        if _TASK in value:
            return slots[value[_TASK]]
        if _LITERAL in value:
            return value[_LITERAL]
        items = {name: _operand(item, slots, builder) for name, item in value.items()}
        if not any(type(item) is Slot for item in items.values()):
            return items
        return builder.call(as_dict, [part for pair in items.items() for part in pair])
    if isinstance(value, list):
        operands = [_operand(item, slots, builder) for item in value]
        if not any(type(operand) is Slot for operand in operands):
            return operands
        return builder.call(as_list, operands)
    return value


def _cut(bodies: Sequence[bytes]) -> tuple[list[int], list[bytes]]:
    """The first task of each page, and the pages."""
    firsts: list[int] = []
    payloads: list[bytes] = []
    first, size = 0, 0
    for task in range(len(bodies) + 1):
        full = task - first == _MOST_TASKS or size > _MOST_BYTES or task == len(bodies)
        if full and task > first:
            firsts.append(first)
            payloads.append(CALLS + b"[" + b",".join(bodies[first:task]) + b"]")
            first, size = task, 0
        if task < len(bodies):
            size += len(bodies[task])
    return firsts, payloads
