"""Static schedules: which tasks each first executor starts from. Pure.

A static schedule is a group of leaves and everything reachable from it. Schedules overlap, so one is stored
as its leaves only (its *entries*); the rest of it is in the shared pages.
"""

from __future__ import annotations

import numpy as np

from wukong_scheduler.admission import Ids

#: One executor can start from this many leaves before reading its entries takes longer than giving some away.
LEAVES_PER_GROUP = 50_000


def initial_groups(leaves: int, parallelism: int) -> int:
    """How many executors the heartbeat policy starts a job with.

    One, as a rule: work spreads at the first beat, and a tiny graph never leaves its first executor.
    More only where the entries themselves are a heavy load.
    """
    return max(1, min(parallelism, -(-leaves // LEAVES_PER_GROUP)))


def cut(leaves: Ids, groups: int) -> list[Ids]:
    """Cut leaves, given in depth-first order, into contiguous groups of about equal size, none of them empty.

    Neighbours in depth-first order share dependents, so contiguous groups keep siblings together.
    """
    return np.array_split(leaves, min(groups, len(leaves)))
