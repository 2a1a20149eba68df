"""Static schedules: which tasks each first executor starts from. Pure.

A static schedule is a group of leaves and everything reachable from it. Schedules overlap, so one is stored as its
leaves only (its *entries*); the rest of it is in the shared pages.
"""

from __future__ import annotations

from collections.abc import Sequence

from wukong.engine.policy.policy import Policy
from wukong.mds.records import Record


def static_schedules(leaves: Sequence[int], parallelism: int, policy: Policy) -> list[Record]:
    """One record for each first executor.

    Args:
        leaves: The tasks without dependencies, in depth-first order, so that neighbours share dependents.
        parallelism: Most executors of the job at once.
        policy: Decides how many groups there are.
    """
    groups = policy.initial_groups(leaves, parallelism)
    return [Record(id=str(number), entries=group) for number, group in enumerate(groups)]
