"""An end does not take effect where the store has forgotten what the holder was told before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wukong.mds.store import Arrival, Status, Synced

if TYPE_CHECKING:
    from tests.contract.mds.conftest import Holder, Store


def end(holder: Holder, number: int, after: int, *gave: str) -> Synced:
    return holder.sync(end=True, number=number, after=after, gave=gave)


def test_an_end_is_refused_where_an_earlier_call_is_unknown(store: Store) -> None:
    store.submit([0], [1])
    holder = store.holder()
    assert holder.sync(number=1).status is Status.OK
    # Two calls that followed were acknowledged, and forgotten.
    refused = end(holder, 4, 3)
    assert (refused.status, refused.ended, list(refused.answers)) == (Status.OK, False, [])
    assert store.info().live_records == 2
    # They are said again.
    assert holder.sync(number=5).status is Status.OK
    assert end(holder, 6, 5).ended
    assert store.info().live_records == 1


def test_the_call_that_is_refused_its_end_counts_for_all_else(store: Store) -> None:
    store.submit([0], [1], sinks=2)
    holder = store.holder()
    call = {"results": [(3, b"I3")], "end": True, "number": 2, "after": 1}
    assert not holder.sync(Arrival(2, 2, [(0, b"I0")]), **call).ended
    assert store.mds.results("job", [3]) == [b"I3"]
    assert store.mds.marks("job", 0, 2, [0, 1]) == [b"I0", None]


def test_calls_after_a_gap_do_not_close_it(store: Store) -> None:
    store.submit([0])
    holder = store.holder()
    holder.sync(number=1)
    # Calls 2 and 3 were acknowledged and are forgotten; two more follow before the caller finds out.
    holder.sync(number=4, after=3)
    assert not end(holder, 5, 4).ended
    # What was forgotten is said again, after nothing.
    holder.sync(number=6)
    assert end(holder, 7, 6).ended


def test_an_end_needs_nothing_where_nothing_was_acknowledged(store: Store) -> None:
    store.submit([0])
    assert end(store.holder(), 1, 0).ended


@pytest.mark.parametrize("late", [1, 2])
def test_a_call_that_comes_late_is_no_sign_of_a_loss(store: Store, late: int) -> None:
    store.submit([0])
    holder = store.holder()
    holder.sync(number=2)
    holder.sync(number=late)
    assert end(holder, 3, 2).ended


def test_an_end_is_refused_where_an_offload_is_unknown(store: Store) -> None:
    store.submit([0, 1])
    holder = store.holder()
    assert not end(holder, 1, 0, "x").ended
    assert holder.offload("x", [1], end=True) == (Status.OK, 1)
    assert not end(holder, 2, 1, "w", "x").ended
    assert end(holder, 3, 2, "x").ended
    assert store.info().live_records == 1


def test_an_offload_of_which_nothing_was_accepted_is_known_too(store: Store) -> None:
    store.submit([0], parallelism=1)
    holder = store.holder()
    assert holder.offload("x", [1]) == (Status.OK, 0)
    assert end(holder, 1, 0, "x").ended


def test_what_a_former_holder_was_told_is_nothing_to_the_next_one(store: Store) -> None:
    store.submit([0])
    former = store.holder(lease=0.001)
    former.sync(number=9)
    store.wait(0.01)
    holder = store.holder(token="next")
    assert holder.begun.begins == 2
    assert not end(holder, 2, 1).ended
    assert end(holder, 3, 0).ended


def test_a_holder_that_begins_again_goes_on(store: Store) -> None:
    store.submit([0])
    holder = store.holder()
    holder.sync(number=3)
    assert holder.begin().begins == 1
    assert end(holder, 4, 3).ended
