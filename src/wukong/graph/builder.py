"""Builds the program of one task, call by call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wukong.graph.dag import Program
from wukong.graph.program import same


class Slot(int):
    """A place in a program: dependency i, or ~k for the result of step k (its number is known when all are)."""

    __slots__ = ()


_DEPENDENCIES = [Slot(i) for i in range(256)]


def _in_order(count: int) -> tuple[tuple[int, int], ...]:
    """The references of a call whose arguments are its dependencies in their order."""
    return _IN_ORDER[count] if count < len(_IN_ORDER) else tuple((i, i) for i in range(count))


_IN_ORDER = [tuple((i, i) for i in range(count)) for count in range(16)]


class Interned:
    """Parts of programs that many tasks share, so that a page stores them once."""

    __slots__ = ("_plain", "_references")

    def __init__(self) -> None:
        #: The program (function,) by the function's identity; the program keeps the function alive.
        self._plain: dict[int, Program] = {}
        self._references: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def plain_call(self, function: Callable[..., Any]) -> Program:
        """The program of a call whose arguments are its dependencies in their order."""
        program = self._plain.get(id(function))
        if program is None:
            program = self._plain[id(function)] = (function,)
        return program

    def one_call(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        references: tuple[tuple[int, int], ...],
        dependencies: int,
    ) -> Program:
        """The shortest program of one call without keywords."""
        if not references:
            return (function, arguments)
        count = len(references)
        if count == len(arguments) == dependencies and references == _in_order(count):
            return self.plain_call(function)
        return (function, arguments, self.references(references))

    def references(self, references: tuple[Any, ...]) -> tuple[Any, ...]:
        """An equal tuple that is shared."""
        if len(references) > 8:
            return references
        return self._references.setdefault(references, references)


class Builder:
    """Collects the dependencies and calls of one task.

    An operand is a `Slot` or a constant. `finish` turns what was collected into a program.
    """

    __slots__ = ("_dependencies", "_interned", "_steps")

    def __init__(self, interned: Interned) -> None:
        self._interned = interned
        self._dependencies: dict[int, Slot] = {}
        self._steps: list[tuple[Callable[..., Any], Sequence[Any], Mapping[str, Any] | None]] = []

    def dependency(self, task: int) -> Slot:
        """The slot of a task's value; the task becomes a dependency."""
        slot = self._dependencies.get(task)
        if slot is None:
            number = len(self._dependencies)
            slot = _DEPENDENCIES[number] if number < 256 else Slot(number)
            self._dependencies[task] = slot
        return slot

    def call(
        self, function: Callable[..., Any], operands: Sequence[Any], keywords: Mapping[str, Any] | None = None
    ) -> Slot:
        """The slot of a call's result."""
        self._steps.append((function, operands, keywords))
        return Slot(-len(self._steps))

    def finish(self, result: object) -> tuple[Program, list[int]]:
        """The program whose result is the operand `result`, and the dependencies in the order of their slots.

        `result` must be the last call's slot, or need no call at all.
        """
        steps = self._steps
        dependencies = list(self._dependencies)
        if len(steps) > 1:
            if result != -len(steps) or type(result) is not Slot:
                self.call(same, [result])
            return self._several(len(dependencies)), dependencies
        if type(result) is not Slot:
            return (same, (result,)), dependencies
        if result >= 0:
            steps = [(same, [result], None)]
        function, operands, keywords = steps[0]
        arguments, references = _split(operands)
        if keywords:
            kwargs, kwrefs = _split_keywords(keywords)
            return (function, arguments, self._interned.references(references), kwargs, kwrefs), dependencies
        return self._interned.one_call(function, arguments, references, len(dependencies)), dependencies

    def _several(self, dependencies: int) -> Program:
        steps: list[Program] = []
        # The last step that uses each slot; going backwards, that is the first one met.
        used: set[int] = set()
        last = len(self._steps) - 1
        for number in range(last, -1, -1):
            function, operands, keywords = self._steps[number]
            arguments, references = _split(operands, dependencies)
            kwargs, kwrefs = _split_keywords(keywords, dependencies) if keywords else ({}, ())
            drops = []
            for _, slot in (*references, *kwrefs):
                if slot not in used:
                    used.add(slot)
                    drops.append(slot)
            if number == last:
                drops = []  # the whole program ends here
            if references and len(references) == len(arguments):
                step: Program = (
                    function,
                    None,
                    self._interned.references(tuple(s for _, s in references)),
                    self._interned.references(tuple(drops)),
                )
            else:
                step = (
                    function,
                    arguments,
                    self._interned.references(references),
                    self._interned.references(tuple(drops)),
                )
            steps.append((*step, kwargs, kwrefs) if keywords else step)
        steps.reverse()
        return tuple(steps)


def _split(operands: Sequence[Any], dependencies: int = 0) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Arguments with None where a value goes, and (position, slot) of those."""
    arguments = list(operands)
    references = []
    for position, operand in enumerate(arguments):
        if type(operand) is Slot:
            slot = int(operand)
            arguments[position] = None
            references.append((position, slot if slot >= 0 else dependencies - slot - 1))
    return tuple(arguments), tuple(references)


def _split_keywords(
    keywords: Mapping[str, Any], dependencies: int = 0
) -> tuple[dict[str, Any], tuple[tuple[str, int], ...]]:
    constants = {}
    references = []
    for keyword, operand in keywords.items():
        if type(operand) is Slot:
            slot = int(operand)
            references.append((keyword, slot if slot >= 0 else dependencies - slot - 1))
        else:
            constants[keyword] = operand
    return constants, tuple(references)
