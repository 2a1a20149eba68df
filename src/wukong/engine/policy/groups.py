"""Contiguous groups of tasks. Neighbours in depth-first order share dependents, so they should stay together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def contiguous(tasks: Sequence[int], groups: int) -> list[Sequence[int]]:
    """Cut tasks into at most that many groups, none empty, whose sizes differ by one at most."""
    size, rest = divmod(len(tasks), groups)
    cuts = [i * size + min(i, rest) for i in range(groups + 1)]
    return [tasks[start:end] for start, end in pairwise(cuts) if start < end]
