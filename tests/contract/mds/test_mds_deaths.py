"""Deaths of holders: which are counted, for what, and that each counts once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wukong.mds.store import Due, Status

if TYPE_CHECKING:
    from tests.contract.mds.conftest import Holder, Store


def dies(store: Store, holder: Holder, at_once: bool = True) -> Due:
    """The platform says that it is gone; what the next sweep finds."""
    store.mds.lost("job", holder.record, holder.token, "killed", at_once)
    due: Due = store.eventually(lambda: store.mds.sweep("job", 0.001).due)[0]
    return due


def following(store: Store, number: int) -> Holder:
    """The next holder, as soon as the lease of the one before is over."""
    holder = store.stranger(token=f"token-{number}")
    store.eventually(lambda: holder.begin().status is Status.OK)
    return holder


def test_deaths_of_later_holders_count_for_the_task_that_ran(store: Store) -> None:
    store.submit()
    first = store.holder()
    first.sync(current=7, current_key="seven")
    assert dies(store, first).deaths == 0  # its last beat may have been long before
    for number in (1, 2, 3):
        holder = following(store, number)
        assert holder.begun.begins == number + 1
        holder.sync(current=7, current_key="('x', 1) seven")
        due = dies(store, holder)
        assert (due.current, due.key, due.deaths) == (7, "('x', 1) seven", number)
    assert "d" in store.of_job()
    store.mds.purge("job", 60)
    assert store.of_job() == ["m"]


def test_a_death_that_is_found_again_counts_once(store: Store) -> None:
    store.submit()
    dies(store, store.holder())
    holder = following(store, 1)
    holder.sync(current=7)
    assert dies(store, holder).deaths == 1
    for _ in range(3):
        assert dies(store, holder).deaths == 1


def test_deaths_before_a_task_ran_are_the_records_own(store: Store) -> None:
    store.submit()
    assert dies(store, store.holder()).deaths == 1
    holder = following(store, 1)
    holder.sync(current=7)
    assert dies(store, holder).deaths == 1
    # The next one has no last words yet, and not those of the one before.
    due = dies(store, following(store, 2))
    assert (due.current, due.key, due.memory, due.deaths) == (-1, "", 0, 2)


def test_a_task_that_moved_to_another_record_keeps_its_count(store: Store) -> None:
    store.submit()
    dies(store, store.holder())
    holder = following(store, 1)
    holder.sync(current=7)
    dies(store, holder)
    holder = following(store, 2)
    holder.offload("x", [7])
    assert holder.sync(end=True).ended
    child = store.holder("x.0", token="child")
    dies(store, child)
    child = store.stranger("x.0", token="child-2")
    store.eventually(lambda: child.begin().status is Status.OK)
    child.sync(current=7)
    assert dies(store, child).deaths == 2


def test_whoever_gave_up_by_itself_was_not_ended_by_a_task(store: Store) -> None:
    store.submit()
    dies(store, store.holder())
    holder = following(store, 1)
    holder.lease = 0.02
    holder.sync(current=7)
    due = dies(store, holder, at_once=False)
    assert (due.current, due.deaths, due.why) == (-1, 2, "killed")


def test_a_new_holder_starts_with_short_pauses(store: Store) -> None:
    store.submit()
    first = store.holder()
    assert [dies(store, first).invokes for _ in range(3)] == [2, 3, 4]
    assert dies(store, following(store, 1)).invokes == 2


def test_a_record_that_nobody_began_has_no_deaths(store: Store) -> None:
    store.submit(lease=0.001)
    due = store.eventually(lambda: store.mds.sweep("job", 60).due)[0]
    assert (due.begins, due.deaths) == (0, 0)
