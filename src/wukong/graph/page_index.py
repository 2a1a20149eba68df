"""Which page a task is in."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

#: Pages that an executor reads together with its record.
FIRST_PAGES = 8


def page_of(task: int, first_tasks: Sequence[int]) -> int:
    """Index of a task's page, given the first task of each page."""
    return bisect_right(first_tasks, task) - 1


def first_pages(entries: Sequence[int], first_tasks: Sequence[int]) -> list[int]:
    """The first few pages that some ascending tasks are in."""
    pages: list[int] = []
    position = 0
    while position < len(entries) and len(pages) < FIRST_PAGES:
        page = page_of(entries[position], first_tasks)
        pages.append(page)
        if page + 1 == len(first_tasks):
            break
        position = bisect_left(entries, first_tasks[page + 1], position)
    return pages
