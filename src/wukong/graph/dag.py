"""The form in which Wukong runs a graph: integer tasks, adjacency in arrays, programs instead of task objects."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from wukong.graph.hints import Hints

#: A Dask key: a string, bytes, number, or a tuple of such.
Key: TypeAlias = Hashable
#: What a task does; see `wukong.graph.program`.
Program: TypeAlias = tuple[Any, ...]
#: Task ids, or offsets into an array of them.
Ids: TypeAlias = npt.NDArray[np.uint32]


@dataclass(slots=True)
class Dag:
    """A graph that is ready to be cut into pages and submitted.

    Task ids count from 0 in depth-first post-order: every dependency has a smaller id than its dependents, and
    neighbours in the graph are neighbours in number. A task's dependencies are distinct.
    """

    #: The Dask key of each task. Values that were lifted out of arguments get keys of Wukong's own.
    keys: list[Key]
    #: What each task runs; None for the tasks in `inputs`, whose values are uploaded.
    programs: list[Program | None]
    #: `deps[dep_offsets[i]:dep_offsets[i + 1]]` are the dependencies of task i, in the order of its program's slots.
    dep_offsets: Ids
    deps: Ids
    #: The tasks whose values were asked for, each once, in the order asked.
    targets: Ids
    #: Values embedded in the graph that are too large for a page.
    inputs: dict[int, object] = field(default_factory=dict)
    #: The task of every asked-for key.
    index: dict[Key, int] = field(default_factory=dict)
    #: What was said about how tasks should run.
    hints: Hints = field(default_factory=Hints)

    def __len__(self) -> int:
        return len(self.keys)

    def dependencies(self, task: int) -> list[int]:
        """The distinct dependencies of a task, in the order of its program's slots."""
        dependencies: list[int] = self.deps[self.dep_offsets[task] : self.dep_offsets[task + 1]].tolist()
        return dependencies
