from __future__ import annotations

from wukong_executor.recent import ENTRY_BYTES, Recent


def test_a_kept_value_is_taken_once() -> None:
    recent = Recent(100 + 2 * ENTRY_BYTES)
    recent.keep(1, "value", 60)
    assert recent.take(1) == ("value", 60)
    assert recent.take(1) is None


def test_the_oldest_go_when_the_limit_is_passed() -> None:
    recent = Recent(100 + 2 * ENTRY_BYTES)
    for task in (1, 2, 3):
        recent.keep(task, str(task), 40)
    assert [recent.take(task) for task in (1, 2, 3)] == [None, ("2", 40), ("3", 40)]


def test_a_value_above_the_limit_is_not_kept_and_drives_nothing_out() -> None:
    recent = Recent(100 + ENTRY_BYTES)
    recent.keep(1, "small", 60)
    recent.keep(2, "large", 101)
    assert recent.take(2) is None
    assert recent.take(1) == ("small", 60)


def test_what_is_taken_makes_room() -> None:
    recent = Recent(100 + 2 * ENTRY_BYTES)
    recent.keep(1, "a", 60)
    recent.take(1)
    recent.keep(2, "b", 60)
    recent.keep(3, "c", 40)
    assert recent.take(2) == ("b", 60)
