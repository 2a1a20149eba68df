"""Lost values: who computes one again, and where it is then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wukong.mds import keys
from wukong.mds.store import Sought, Status

if TYPE_CHECKING:
    from tests.contract.mds.conftest import Holder, Store


def seek(holder: Holder, task: int = 5, mark: bytes | None = b"Mold") -> Sought:
    return holder.mds.seek(holder.job, holder.record, holder.token, holder.generation, holder.lease, task, mark)


def heal(holder: Holder, mark: bytes = b"Mnew", task: int = 5) -> Status:
    return holder.mds.heal(holder.job, holder.record, holder.token, holder.generation, holder.lease, task, mark)


def test_a_lost_value_is_left_to_the_first_who_asks(store: Store) -> None:
    store.submit([0], [1])
    first, second = store.holder("0"), store.holder("1")
    assert seek(first) == Sought(Status.OK, free=True)
    assert seek(first) == Sought(Status.OK, free=True), "asking again changes nothing"
    assert seek(second) == Sought(Status.OK)
    assert seek(second, mark=None) == Sought(Status.OK), "somebody is at it, for whatever reason it is wanted"
    assert seek(second, task=6) == Sought(Status.OK, free=True)


def test_a_value_that_was_stored_nowhere_is_left_to_everybody(store: Store) -> None:
    store.submit([0], [1])
    first, second = store.holder("0"), store.holder("1")
    assert seek(first, mark=None) == seek(second, mark=None) == Sought(Status.OK, free=True)
    assert keys.healed("job") not in store.names()


@pytest.mark.parametrize("new", [b"N", b"Mnew\x00:\xff", b"x" * 5000])
def test_others_are_told_where_a_healed_value_is(store: Store, new: bytes) -> None:
    store.submit([0], [1])
    first, second = store.holder("0"), store.holder("1")
    seek(first)
    assert heal(first, new) is Status.OK
    assert seek(second) == seek(second, mark=None) == Sought(Status.OK, new)


def test_a_healed_value_that_is_lost_again_is_left_to_the_first_who_asks(store: Store) -> None:
    store.submit([0], [1])
    first, second = store.holder("0"), store.holder("1")
    seek(first)
    heal(first, b"Mnew")
    assert seek(second, mark=b"Mnew") == Sought(Status.OK, free=True)
    assert seek(first) == Sought(Status.OK)
    heal(second, b"Mnewer")
    assert seek(first) == Sought(Status.OK, b"Mnewer")


def test_what_is_left_to_a_holder_is_free_when_its_lease_ran_out(store: Store) -> None:
    store.submit([0], [1])
    seek(store.holder("0", lease=0.05))
    second = store.holder("1")
    assert store.eventually(lambda: seek(second).free)


def test_what_is_left_to_a_holder_stays_so_while_it_renews_its_lease(store: Store) -> None:
    store.submit([0], [1])
    first = store.holder("0", lease=0.05)
    seek(first)
    first.lease = 60.0
    first.renew()
    store.wait(0.1)  # the first lease would be over
    assert not seek(store.holder("1")).free


def test_what_is_left_to_a_holder_is_free_when_its_record_ends_or_is_taken_over(store: Store) -> None:
    store.submit([0], [1], [2])
    ends, other = store.holder("0"), store.holder("1")
    seek(ends)
    assert ends.sync(end=True).ended
    assert seek(other).free
    dies = store.holder("2", "dies", lease=0.05)
    seek(dies, task=6)
    store.eventually(lambda: store.stranger("2", "next").begin().status is Status.OK)
    assert seek(other, task=6).free


def test_only_a_records_holder_asks_and_heals(store: Store) -> None:
    store.submit([0], [1])
    token = store.holder("0").token
    names = store.names()
    for stranger, status in [
        (store.stranger("0"), Status.STALE),
        (store.stranger("0", token, generation=1), Status.STALE),
        (store.stranger("nothing"), Status.GONE),
        (store.stranger(job="unknown"), Status.STOP),
    ]:
        assert seek(stranger) == Sought(status)
        assert heal(stranger) is status
    assert store.names() == names


def test_both_renew_the_lease(store: Store) -> None:
    store.submit([0])
    holder = store.holder("0", lease=0.05)
    holder.lease = 60.0
    seek(holder, mark=None)
    assert store.stranger("0").begin().status is Status.BUSY
    holder.lease = 0.05
    heal(holder)
    assert store.eventually(lambda: store.stranger("0").begin().status is Status.OK)


def test_nothing_of_it_is_left_after_a_purge(store: Store) -> None:
    store.submit([0])
    holder = store.holder("0")
    seek(holder)
    assert keys.healed("job") in store.names()
    store.mds.purge("job", 100)
    assert store.of_job() == ["m"]
    assert seek(holder) == Sought(Status.STOP)
    assert heal(holder) is Status.STOP
    assert store.of_job() == ["m"]
