"""Contiguous groups of tasks. Neighbours in depth-first order share dependents, so they should stay together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

#: Records that one script may create. Of more leaves, first executors have several, and invoke others for them.
MOST_AT_START = 20_000


def contiguous(tasks: Sequence[int], groups: int) -> list[Sequence[int]]:
    """Cut tasks into at most that many groups, none empty, whose sizes differ by one at most."""
    size, rest = divmod(len(tasks), groups)
    cuts = [i * size + min(i, rest) for i in range(groups + 1)]
    return [tasks[start:end] for start, end in pairwise(cuts) if start < end]


def one_each(leaves: Sequence[int], parallelism: int) -> list[Sequence[int]]:
    """A group for each leaf, as far as there may be so many executors at the start."""
    return contiguous(leaves, min(parallelism, len(leaves), MOST_AT_START))
