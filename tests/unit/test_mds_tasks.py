"""Sets of task ids as bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wukong.mds.tasks import pack_tasks, unpack_tasks

IDS = st.lists(st.integers(0, 2**32 - 1), max_size=60)
#: Ids with long runs, as depth-first graphs have them.
DENSE = st.lists(st.integers(0, 30), max_size=60)


@given(IDS | DENSE)
def test_what_was_packed_is_unpacked_in_its_order(tasks: list[int]) -> None:
    assert unpack_tasks(pack_tasks(tasks)) == tasks


@given(st.lists(DENSE, max_size=5))
def test_concatenated_encodings_are_the_union(parts: list[list[int]]) -> None:
    assert unpack_tasks(b"".join(map(pack_tasks, parts))) == [task for part in parts for task in part]


@given(DENSE)
def test_it_is_never_longer_than_one_run_per_task(tasks: list[int]) -> None:
    assert len(pack_tasks(tasks)) <= 8 * len(tasks)


def test_a_million_consecutive_tasks_are_one_run() -> None:
    assert len(pack_tasks(range(5, 1_000_005))) == 8
    assert unpack_tasks(pack_tasks(range(5, 1_000_005))) == list(range(5, 1_000_005))


def test_the_encoding() -> None:
    assert pack_tasks([]) == b""
    assert pack_tasks([0]) == bytes(8)
    assert pack_tasks([1, 2, 3, 7]) == bytes([1, 0, 0, 0, 3, 0, 0, 0, 7, 0, 0, 0, 7, 0, 0, 0])
    assert pack_tasks([2**32 - 1]) == b"\xff" * 8


def test_descending_and_repeated_tasks_are_kept() -> None:
    for tasks in ([3, 2, 1], [1, 1, 1], [1, 2, 1, 2], [0, 0], [2**32 - 1, 0]):
        assert unpack_tasks(pack_tasks(tasks)) == tasks


def test_any_iterable_is_packed() -> None:
    assert pack_tasks(task for task in (4, 5, 6)) == pack_tasks([4, 5, 6])
