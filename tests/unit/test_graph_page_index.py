from __future__ import annotations

import random

import pytest

from wukong.graph.page_index import FIRST_PAGES, first_pages, page_of

FIRST_TASKS = [0, 10, 15, 40]


@pytest.mark.parametrize(("task", "page"), [(0, 0), (9, 0), (10, 1), (14, 1), (15, 2), (39, 2), (40, 3), (1000, 3)])
def test_a_task_is_in_the_last_page_that_begins_at_or_before_it(task: int, page: int) -> None:
    assert page_of(task, FIRST_TASKS) == page


@pytest.mark.parametrize(
    ("entries", "pages"), [([], []), ([3, 4, 9], [0]), ([3, 12, 41], [0, 1, 3]), (range(50), [0, 1, 2, 3])]
)
def test_the_pages_of_entries(entries: list[int], pages: list[int]) -> None:
    assert first_pages(entries, FIRST_TASKS) == pages


def test_only_the_first_few_pages_are_named() -> None:
    rng = random.Random(1)
    first_tasks = sorted(rng.sample(range(1, 5000), 99))
    first_tasks.insert(0, 0)
    entries = sorted(rng.sample(range(6000), 500))
    every_page = list(dict.fromkeys(page_of(task, first_tasks) for task in entries))
    assert first_pages(entries, first_tasks) == every_page[:FIRST_PAGES]
