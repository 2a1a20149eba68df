"""Objects in a graph that stand for values which the cluster has already."""

from __future__ import annotations


class Reference:
    """The value of a task of an earlier job. Where one is found in a graph, the task that stands for it is an input."""

    __slots__ = ()
