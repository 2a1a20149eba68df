"""Pages as they stand in the metadata store: the adjacency of a range of tasks beside their payload.

Layout (little endian): a header of nine 32-bit words; arrays of 32-bit words; the marks of inputs, one after the
other; the payload, to the end.

=============== ================ ==========================================================================
array           words            content
=============== ================ ==========================================================================
dep offsets     tasks + 1        where each task's dependencies begin
deps            deps             distinct dependencies, in the order of the program's slots
out offsets     tasks + 1        where each task's out-edges begin
child           outs             the dependent task
edge            outs             which of the dependent's dependencies this task is
need            outs             how many dependencies the dependent has
sinks           sinks            the tasks of this page whose values were asked for
input tasks     inputs           the tasks of this page whose values were uploaded
mark lengths    inputs           bytes of each input's mark
=============== ================ ==========================================================================
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np

from wukong.graph.dag import Ids

_MAGIC = int.from_bytes(b"WKP1", "little")
#: Magic, first task, tasks, deps, outs, sinks, inputs, bytes of marks, retries.
_HEADER = struct.Struct("<9I")
_WORD = np.dtype("<u4")


def build_pages(
    dep_offsets: Ids,
    deps: Ids,
    targets: Ids,
    firsts: Sequence[int],
    payloads: Sequence[bytes],
    inputs: Mapping[int, bytes],
    retries: int = 0,
) -> list[bytes]:
    """The bodies of all pages of a graph.

    Args:
        dep_offsets: Where each task's dependencies begin in `deps`; one more entry than tasks.
        deps: The distinct dependencies of all tasks. Every dependency exists.
        targets: The tasks whose values were asked for.
        firsts: The first task of each page; the pages are contiguous and begin with task 0.
        payloads: What each page's tasks run.
        inputs: The marks of uploaded values, by task.
        retries: How often a task that raises is run again, where its payload says nothing.
    """
    offsets = np.asarray(dep_offsets, np.int64)
    tasks = len(offsets) - 1
    needs = np.diff(offsets)
    # One row per edge, in the order of the consumers; then the same rows in the order of the producers.
    child = np.repeat(np.arange(tasks, dtype=_WORD), needs)
    edge = (np.arange(len(deps)) - np.repeat(offsets[:-1], needs)).astype(_WORD)
    need = np.repeat(needs, needs).astype(_WORD)
    by_producer = np.argsort(deps, kind="stable")
    child, edge, need = child[by_producer], edge[by_producer], need[by_producer]
    out_offsets = np.zeros(tasks + 1, np.int64)
    np.cumsum(np.bincount(deps, minlength=tasks), out=out_offsets[1:])
    deps = np.asarray(deps, _WORD)
    sinks = np.sort(np.asarray(targets, _WORD))
    input_tasks = np.array(sorted(inputs), _WORD)

    bounds = [*firsts, tasks]
    sink_bounds = np.searchsorted(sinks, bounds)
    input_bounds = np.searchsorted(input_tasks, bounds)
    pages = []
    for page, payload in enumerate(payloads):
        first, end = bounds[page], bounds[page + 1]
        deps_from, deps_to = int(offsets[first]), int(offsets[end])
        outs_from, outs_to = int(out_offsets[first]), int(out_offsets[end])
        page_sinks = sinks[sink_bounds[page] : sink_bounds[page + 1]]
        page_inputs = input_tasks[input_bounds[page] : input_bounds[page + 1]]
        marks = [inputs[task] for task in page_inputs.tolist()]
        lengths = [len(mark) for mark in marks]
        header = _HEADER.pack(
            _MAGIC,
            first,
            end - first,
            deps_to - deps_from,
            outs_to - outs_from,
            len(page_sinks),
            len(page_inputs),
            sum(lengths),
            retries,
        )
        words = (
            (offsets[first : end + 1] - deps_from).astype(_WORD),
            deps[deps_from:deps_to],
            (out_offsets[first : end + 1] - outs_from).astype(_WORD),
            child[outs_from:outs_to],
            edge[outs_from:outs_to],
            need[outs_from:outs_to],
            page_sinks,
            page_inputs,
            np.array(lengths, _WORD),
        )
        pages.append(b"".join((header, *[array.tobytes() for array in words], *marks, payload)))
    return pages


class Page:
    """One page, decoded.

    Attributes:
        first: Its first task.
        count: How many tasks it has.
        sinks: Those of its tasks whose values were asked for.
        inputs: The marks of those of its tasks whose values were uploaded.
        payload: What its tasks run (`wukong.graph.payload.load`).
        retries: How often a task that raises is run again, where the payload says nothing.
    """

    __slots__ = (
        "_dep_offsets",
        "_deps",
        "_out_offsets",
        "_outs",
        "count",
        "first",
        "inputs",
        "payload",
        "retries",
        "sinks",
    )

    first: int
    count: int
    sinks: frozenset[int]
    inputs: dict[int, bytes]
    payload: memoryview
    retries: int
    _dep_offsets: list[int]
    _deps: list[int]
    _out_offsets: list[int]
    _outs: list[tuple[int, int, int]]

    @classmethod
    def decode(cls, body: bytes | memoryview) -> Page:
        """The page in a body that `build_pages` made; `ValueError` for anything else."""
        view = memoryview(body)
        if len(view) < _HEADER.size:
            raise ValueError("not a page: it is too short")
        magic, first, count, deps, outs, sinks, inputs, marks, retries = _HEADER.unpack_from(view)
        words = 2 * (count + 1) + deps + 3 * outs + sinks + 2 * inputs
        payload = _HEADER.size + words * 4 + marks
        if magic != _MAGIC or len(view) < payload:
            raise ValueError("not a page: its header does not fit")
        array: list[int] = np.frombuffer(view, _WORD, words, _HEADER.size).tolist()
        page = cls()
        page.first, page.count, page.retries = first, count, retries
        at = count + 1
        page._dep_offsets = array[:at]
        page._deps = array[at : at + deps]
        at += deps
        page._out_offsets = array[at : at + count + 1]
        at += count + 1
        page._outs = list(
            zip(
                array[at : at + outs],
                array[at + outs : at + 2 * outs],
                array[at + 2 * outs : at + 3 * outs],
                strict=True,
            )
        )
        at += 3 * outs
        page.sinks = frozenset(array[at : at + sinks])
        at += sinks
        page.inputs = {}
        mark = payload - marks
        for task, length in zip(array[at : at + inputs], array[at + inputs :], strict=True):
            page.inputs[task] = bytes(view[mark : mark + length])
            mark += length
        page.payload = view[payload:]
        return page

    def deps(self, task: int) -> list[int]:
        """The distinct dependencies of a task, in the order of its program's slots."""
        offsets, i = self._dep_offsets, task - self.first
        return self._deps[offsets[i] : offsets[i + 1]]

    def out(self, task: int) -> list[tuple[int, int, int]]:
        """The out-edges of a task: (child, which of the child's dependencies this task is, how many it has)."""
        offsets, i = self._out_offsets, task - self.first
        return self._outs[offsets[i] : offsets[i + 1]]
