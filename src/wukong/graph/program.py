"""What a task runs: a program, made of plain tuples that pickle small and run fast.

Theory of operation
-------------------
Dask describes a task as an object that looks up its arguments by key. Wukong compiles each task once, where the graph
is converted, into a program that knows its arguments by *slot*. Slot i < n is the value of the task's i-th distinct
dependency; slot n + k is the result of the program's step k. A program is one call, or a tuple of two or more steps.

One call (nearly all tasks), by length:

=== ============================================ ======================================
1   (function,)                                  function(*values)
2   (function, args)                             function(*args), a leaf
3   (function, args, refs)                       args with values put in at (position, slot) of refs
5   (function, args, refs, kwargs, kwrefs)       the same, with keywords and (name, slot)
=== ============================================ ======================================

A step (nested lists of dependencies, tasks inside arguments, the tasks of a fused sub-graph):

=== ======================================================= =============================================
4   (function, args, refs, drops)                           as above; args is None: refs are slots of all arguments
6   (function, args, refs, drops, kwargs, kwrefs)           with keywords
=== ======================================================= =============================================

`drops` are the slots that nobody needs after the step: they are cleared, so that a fused sub-graph holds no more than
it would as separate tasks. Calls with equal shape share one program object, which a page stores once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wukong.graph.dag import Program


def run(program: Program, values: list[Any]) -> Any:
    """The result of a task.

    Args:
        program: What the task runs.
        values: The values of its dependencies, in order. The list is used up: a program of several steps clears its
            items as soon as they are not needed and appends its own; pass a list made for this run.

    Raises:
        BaseException: Whatever the task's function raises.
    """
    size = len(program)
    if size == 1:
        return program[0](*values)
    function = program[0]
    if type(function) is tuple:
        return _run_steps(program, values)
    if size == 2:
        return function(*program[1])
    operands = list(program[1])
    for position, slot in program[2]:
        operands[position] = values[slot]
    if size == 3:
        return function(*operands)
    keywords = dict(program[3])
    for keyword, slot in program[4]:
        keywords[keyword] = values[slot]
    return function(*operands, **keywords)


def _run_steps(steps: Program, slots: list[Any]) -> Any:
    for step in steps:
        arguments = step[1]
        if arguments is None:
            operands = [slots[slot] for slot in step[2]]
        else:
            operands = list(arguments)
            for position, slot in step[2]:
                operands[position] = slots[slot]
        if len(step) == 4:
            slots.append(step[0](*operands))
        else:
            keywords = dict(step[4])
            for keyword, slot in step[5]:
                keywords[keyword] = slots[slot]
            slots.append(step[0](*operands, **keywords))
            del keywords
        # Whatever is held here would stay alive while the next step runs.
        del operands
        for slot in step[3]:
            slots[slot] = None
    return slots[-1]


def same(value: Any) -> Any:
    """The value itself: the function of a task that is a constant or that hands on what it depends on."""
    return value


def as_list(*items: Any) -> list[Any]:
    """A new list of the items."""
    return list(items)


def as_tuple(*items: Any) -> tuple[Any, ...]:
    """A tuple of the items."""
    return items


def as_set(*items: Any) -> set[Any]:
    """A new set of the items."""
    return set(items)


def as_dict(*items: Any) -> dict[Any, Any]:
    """A new dictionary of key, value, key, value, ..."""
    return dict(zip(items[::2], items[1::2], strict=True))


def call_node(node: Callable[[dict[Any, Any]], Any], keys: tuple[Any, ...], *values: Any) -> Any:
    """Runs a task object of a kind that Wukong does not know, the way Dask does: with its values by key."""
    return node(dict(zip(keys, values, strict=True)))
