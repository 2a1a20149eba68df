from __future__ import annotations

import numpy as np
import pytest
from wukong_scheduler.schedules import cut, initial_groups


@pytest.mark.parametrize(
    ("leaves", "parallelism", "groups"),
    [(1, 8, 1), (50_000, 8, 1), (50_001, 8, 2), (1_000_000, 8, 8), (1_000_000, 100, 20), (100_000, 1, 1)],
)
def test_heartbeat_starts_with_one_group_unless_leaves_are_very_many(
    leaves: int, parallelism: int, groups: int
) -> None:
    assert initial_groups(leaves, parallelism) == groups


@pytest.mark.parametrize(("count", "groups"), [(1, 1), (10, 3), (7, 7), (3, 10)])
def test_groups_are_contiguous_complete_and_even(count: int, groups: int) -> None:
    leaves = np.arange(0, count * 2, 2, dtype=np.uint32)
    pieces = cut(leaves, groups)
    assert np.concatenate(pieces).tolist() == leaves.tolist()
    sizes = [len(piece) for piece in pieces]
    assert len(sizes) == min(count, groups)
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1
