"""Objects in a graph that stand for values which the cluster has already."""

from __future__ import annotations

import abc


class Reference(abc.ABC):
    """The value of a task of an earlier job. Where one is found in a graph, the task that stands for it is an input."""

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
