"""Warns of graphs that hold much data: whoever embeds it sends it, and often sends it from a laptop."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from types import FrameType

import numpy as np

from wukong.errors import LargeUploadWarning
from wukong.graph.convert import LIFTED
from wukong.graph.dag import Dag
from wukong.graph.embedded import size
from wukong.graph.name import name

#: Bytes of one graph beyond which its user is warned.
LARGE_BYTES = 100_000_000

#: How many of the largest values the warning names.
_NAMED = 3


def check_size(dag: Dag, pages: int, known: Callable[[object], bool]) -> None:
    """Warn, where the user's code called, if a graph holds more than `LARGE_BYTES` that have to be sent.

    Args:
        dag: The graph. The sizes of its large values are estimated.
        pages: Bytes of all else in it: functions, and small values.
        known: Whether the cluster has a value already.
    """
    sizes = {task: size(value) for task, value in dag.inputs.items() if not known(value)}
    total = pages + sum(sizes.values())
    if total <= LARGE_BYTES:
        return
    parts = [(pages, "functions and small arguments"), *((nbytes, _name(dag, task)) for task, nbytes in sizes.items())]
    named = [(nbytes, what) for nbytes, what in sorted(parts, reverse=True)[:_NAMED] if nbytes >= total / 100]
    largest = ", ".join(f"{what} ({nbytes / 1e6:,.0f} MB)" for nbytes, what in named or [max(parts)])
    caller = _caller()
    warnings.warn_explicit(
        f"this graph holds {total / 1e6:,.0f} MB of data, which are sent to the cluster; most of it is in: {largest}. "
        "Load data inside tasks, or keep it in the cluster as a future of client.submit, which any graph can use.",
        LargeUploadWarning,
        caller.f_code.co_filename,
        caller.f_lineno,
        registry=caller.f_globals.setdefault("__warningregistry__", {}),
    )


def _caller() -> FrameType:
    """The nearest caller that is neither Wukong nor Dask."""
    frame = sys._getframe(1)
    while frame.f_globals.get("__name__", "").partition(".")[0] in ("wukong", "dask") and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _name(dag: Dag, task: int) -> str:
    """The key of a value, or of the first task that it was an argument of."""
    key = dag.keys[task]
    if isinstance(key, tuple) and key[0] == LIFTED:
        first = np.flatnonzero(dag.deps == task)[0]
        return f"an argument of {name(dag.keys[int(np.searchsorted(dag.dep_offsets, first, side='right')) - 1])}"
    return name(key)
