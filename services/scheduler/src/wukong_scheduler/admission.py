"""Whether a submitted graph can be run. Pure: bytes and numbers in, a checked `Shape` or a clear error out.

A graph arrives as compressed sparse rows. Task ids are in depth-first post-order, so a graph is well formed
exactly when every dependency has a smaller id than its task; no search for cycles is needed. All checks are
vectorised: a million tasks take a fraction of a second. Nothing is ever unpickled here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wukong.errors import InvalidGraph
from wukong_scheduler.limits import Limits

Ids = npt.NDArray[np.uint32]

_WORD = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """The checked shape of a graph.

    Attributes:
        offsets: Where each task's dependencies begin in `deps`; one more entry than tasks.
        deps: The dependencies of all tasks, task by task.
        targets: The distinct tasks whose values are wanted.
        firsts: The first task of each page; a page ends where the next begins.
    """

    offsets: Ids
    deps: Ids
    targets: Ids
    firsts: Ids

    @property
    def tasks(self) -> int:
        """How many tasks the graph has."""
        return len(self.offsets) - 1

    @property
    def leaves(self) -> Ids:
        """The tasks without dependencies, in depth-first order."""
        return np.flatnonzero(self.offsets[1:] == self.offsets[:-1]).astype(np.uint32)


def check_graph(
    dep_offsets: bytes,
    deps: bytes,
    targets: bytes,
    firsts: Sequence[int],
    inputs: Sequence[int],
    limits: Limits,
) -> Shape:
    """Check the whole shape of a graph.

    Args:
        dep_offsets: Little-endian uint32, one more than tasks.
        deps: Little-endian uint32, the last offset of them.
        targets: Little-endian uint32, the distinct tasks whose values are wanted.
        firsts: The first task of each page.
        inputs: The tasks whose values were uploaded; they have no dependencies.
        limits: The largest counts.

    Raises:
        InvalidGraph: The graph is empty, inconsistent, or has a cycle.
        LimitExceeded: It has too many tasks, edges or inputs.
    """
    offsets = _words("dep_offsets", dep_offsets)
    tasks = len(offsets) - 1
    if tasks < 1:
        raise InvalidGraph("the graph has no tasks; there is nothing to compute")
    limits.hold("tasks", tasks)
    edges = _words("deps", deps)
    limits.hold("edges", len(edges))
    limits.hold("inputs", len(inputs))
    _check_edges(offsets, edges)
    wanted = _words("targets", targets)
    _check_targets(wanted, tasks)
    starts = check_pages(firsts, tasks)
    _check_inputs(inputs, offsets)
    return Shape(offsets=offsets, deps=edges, targets=wanted, firsts=starts)


def check_pages(firsts: Sequence[int], tasks: int) -> Ids:
    """The pages' first tasks as an array, if the pages cover all tasks exactly once; else `InvalidGraph`."""
    starts = np.asarray(firsts, dtype=np.int64)
    if not len(starts):
        raise InvalidGraph(f"the graph has {tasks} tasks and no page")
    if starts[0] != 0:
        raise InvalidGraph(f"the first page begins with task {starts[0]}, not with task 0")
    bad = np.flatnonzero(starts[1:] <= starts[:-1])
    if len(bad):
        page = int(bad[0]) + 1
        raise InvalidGraph(
            f"page {page} begins with task {starts[page]}, "
            f"not after page {page - 1}, which begins with {starts[page - 1]}"
        )
    if starts[-1] >= tasks:
        raise InvalidGraph(f"page {len(starts) - 1} begins with task {starts[-1]}, but the graph has only {tasks}")
    return starts.astype(np.uint32)


def check_payloads(sizes: Sequence[int], pages: int, limits: Limits) -> None:
    """Check how many payloads there are and their sizes in bytes.

    Raises:
        InvalidGraph: There is not one payload for each page.
        LimitExceeded: One of them, or all together, are too large.
    """
    if len(sizes) != pages:
        raise InvalidGraph(f"the graph has {pages} pages, but {len(sizes)} payloads")
    limits.hold("page_bytes", max(sizes))
    limits.hold("payload_bytes", sum(sizes))


def _words(name: str, data: bytes) -> Ids:
    if len(data) % _WORD:
        raise InvalidGraph(f"{name} has {len(data)} bytes, which is no whole number of 32-bit integers")
    return np.frombuffer(data, dtype="<u4")


def _check_edges(offsets: Ids, deps: Ids) -> None:
    tasks = len(offsets) - 1
    if offsets[0] != 0:
        raise InvalidGraph(f"dep_offsets begins with {offsets[0]}, not with 0")
    falls = np.flatnonzero(offsets[1:] < offsets[:-1])
    if len(falls):
        raise InvalidGraph(f"dep_offsets falls at task {falls[0]}: it never does in compressed sparse rows")
    if int(offsets[-1]) != len(deps):
        raise InvalidGraph(f"dep_offsets ends with {offsets[-1]}, but deps has {len(deps)} entries")
    if not len(deps):
        return
    owners = np.repeat(np.arange(tasks, dtype=np.uint32), np.diff(offsets))
    bad = np.flatnonzero(deps >= owners)
    if len(bad):
        _refuse_edge(int(owners[bad[0]]), int(deps[bad[0]]), tasks)
    pairs = owners.astype(np.uint64) << np.uint64(32) | deps
    if not (pairs[1:] > pairs[:-1]).all():
        pairs = np.sort(pairs)
        twice = np.flatnonzero(pairs[1:] == pairs[:-1])
        if len(twice):
            owner, dependency = divmod(int(pairs[twice[0]]), 1 << 32)
            raise InvalidGraph(f"task {owner} names its dependency {dependency} twice; name each one once")


def _refuse_edge(owner: int, dependency: int, tasks: int) -> None:
    if dependency == owner:
        raise InvalidGraph(f"task {owner} depends on itself: the graph has a cycle")
    if dependency >= tasks:
        raise InvalidGraph(f"task {owner} depends on task {dependency}, which is unknown: the graph has {tasks} tasks")
    raise InvalidGraph(
        f"task {owner} depends on task {dependency}, which comes after it: the graph has a cycle, "
        "or its tasks are not numbered so that every dependency has a smaller number than its task"
    )


def _check_targets(targets: Ids, tasks: int) -> None:
    if not len(targets):
        raise InvalidGraph("no targets: name at least one task whose value is wanted")
    outside = np.flatnonzero(targets >= tasks)
    if len(outside):
        raise InvalidGraph(f"target {targets[outside[0]]} is unknown: the graph has {tasks} tasks")
    ordered = np.sort(targets)
    twice = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(twice):
        raise InvalidGraph(f"target {ordered[twice[0]]} is named twice; name each one once")


def _check_inputs(inputs: Sequence[int], offsets: Ids) -> None:
    if not len(inputs):
        return
    tasks = len(offsets) - 1
    named = np.sort(np.asarray(inputs, dtype=np.int64))
    if named[0] < 0 or named[-1] >= tasks:
        outside = named[0] if named[0] < 0 else named[-1]
        raise InvalidGraph(f"the input of task {outside} is for an unknown task: the graph has {tasks} tasks")
    twice = np.flatnonzero(named[1:] == named[:-1])
    if len(twice):
        raise InvalidGraph(f"task {named[twice[0]]} has two inputs; it is one value")
    inner = np.flatnonzero(offsets[named + 1] != offsets[named])
    if len(inner):
        raise InvalidGraph(
            f"task {named[inner[0]]} is an uploaded input and has dependencies; it can have only one of them"
        )
