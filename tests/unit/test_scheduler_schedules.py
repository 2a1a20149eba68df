from __future__ import annotations

from itertools import chain

import pytest

from wukong.engine.policy.heartbeat import LEAVES_PER_GROUP, Heartbeat
from wukong_scheduler.schedules import static_schedules


@pytest.mark.parametrize(
    ("leaves", "parallelism", "groups"),
    [(1, 8, 1), (LEAVES_PER_GROUP, 8, 1), (3 * LEAVES_PER_GROUP, 8, 3), (3 * LEAVES_PER_GROUP, 2, 2)],
)
def test_records_hold_all_leaves_in_contiguous_groups(leaves: int, parallelism: int, groups: int) -> None:
    tasks = list(range(0, 2 * leaves, 2))
    records = static_schedules(tasks, parallelism, Heartbeat(0.002))
    assert len(records) == groups
    assert [record.id for record in records] == [str(number) for number in range(groups)]
    assert list(chain.from_iterable(record.entries for record in records)) == tasks
    assert all(record.depth == 0 and not record.inputs for record in records)
