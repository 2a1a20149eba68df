"""Objects in a graph that stand for values which the cluster has already."""

from __future__ import annotations

import abc
from typing import Any, Self

from dask._task_spec import Task


class Reference(abc.ABC):
    """The value of a task of an earlier job. Where one is found in a graph, the task that stands for it is an input.

    A copy is the same object.
    """

    __slots__ = ()

    @abc.abstractmethod
    def stands(self, address: str) -> tuple[str, int]:
        """Job and task whose value this is, once it is there.

        Args:
            address: Of the cluster that asks.

        Raises:
            InvalidGraph: Another cluster has the value.
            Exception: What the earlier job ended with, if there is no value.
        """

    @abc.abstractmethod
    def value(self) -> Any:
        """The value, once it is there, brought here."""

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


def value_of(value: Any) -> Any:
    """What stands for itself, or for a value in the cluster, as a value: what the tasks of a persisted collection call.

    In a graph that Wukong runs, such a task is that value. Other schedulers call this, and so get it.
    """
    return value.value() if isinstance(value, Reference) else value


class ReferenceTask(Task):  # type: ignore[misc]
    """A task that calls `value_of` on a reference, and does nothing else.

    Whoever takes the graph of a persisted collection apart, as Dask's own tests do, finds futures in it where another
    cluster keeps the values: objects with a `result`. So this has one too.
    """

    __slots__ = ()

    def result(self) -> Any:
        """The value, once it is there."""
        return value_of(*self.args)


def reference_of(node: object) -> Reference | None:
    """What a node of a graph stands for, if it does nothing but that."""
    if not isinstance(node, Task) or node.func is not value_of:
        return None
    value = node.args[0]
    return value if isinstance(value, Reference) else None
