"""The job: a diamond of four tasks.

`a` makes a small value, `b` and `c` use it, `d` uses both of theirs. The value of `b` is large and `c` takes longer,
so that work is given away, and the fan-in `d` has parents in two executors.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

#: What a task writes when it ends begins with this.
NOTE = "one-job:"


def noted(work: Callable[..., Any]) -> Callable[..., Any]:
    """The task, which also notes in its environment's log when it ran. Not by print: that would reach the client."""

    @functools.wraps(work)
    def task(*inputs: Any) -> Any:
        begun = time.time()
        value = work(*inputs)
        note = f"{NOTE} {work.__name__} {os.getpid()} {begun:.6f} {time.time():.6f}\n"
        os.write(1, note.encode())
        return value

    return task


@noted
def a() -> int:
    """A small value."""
    return 1


@noted
def b(x: int) -> Any:
    """100,000 bytes, which is too much for the metadata store; takes several beats."""
    time.sleep(0.25)
    return np.full(12_500, x, dtype=float)


@noted
def c(x: int) -> int:
    """A small value; takes longer than `b`."""
    time.sleep(0.6)
    return 2 * x


@noted
def d(x: Any, y: int) -> float:
    """A small value of both."""
    return float(x.sum() + y)


GRAPH = {"a": (a,), "b": (b, "a"), "c": (c, "a"), "d": (d, "b", "c")}

#: The tasks by their numbers, which are in depth-first order.
TASKS = "abcd"

#: The parents of each fan-in by the numbers of its edges.
PARENTS = {"d": "bc"}

RESULT = 12_502.0
