"""The sweep: silent records, stalls and deadlines. On a real server time cannot be set, so these wait for it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from wukong.mds.store import Due, Status, Sweep

if TYPE_CHECKING:
    from tests.contract.mds.conftest import Store

#: Times on the store's clock are whole milliseconds.
TICK = 0.002


def found(store: Store, pause: float = 60.0) -> list[Due]:
    """What the sweep finds as soon as it finds something."""
    due: list[Due] = store.eventually(lambda: store.mds.sweep("job", pause).due)
    return due


def test_a_quiet_job_needs_nothing(store: Store) -> None:
    store.submit([0], [1])
    store.holder()
    sweep = store.mds.sweep("job", 1.0)
    assert (sweep.state, list(sweep.due), sweep.stalled, sweep.expired) == ("running", [], False, False)


def test_a_record_that_nobody_began_is_found_after_its_time(store: Store) -> None:
    started = store.clock()
    store.submit([0], [1], lease=0.1)
    store.holder("1", lease=60)
    assert found(store) == [Due("0", 0, 2, -1, 0, 0)]
    assert store.clock() - started >= 0.1 - TICK
    assert store.info().counters.invocations == 3
    assert store.mds.sweep("job", 60).due == []


def test_a_piece_that_nobody_began_is_found(store: Store) -> None:
    store.submit()
    holder = store.holder()
    holder.lease = 0.05
    holder.offload("x", [1], [2])
    holder.lease = 60
    holder.renew()
    assert [due.record for due in found(store)] == ["x.0", "x.1"]


def test_a_holder_that_fell_silent_is_found_with_its_last_words(store: Store) -> None:
    store.submit()
    holder = store.holder(lease=0.05)
    holder.sync(current=42, memory=3_000_000_000, memory_limit=3_221_225_472)
    assert found(store) == [Due("0", 1, 2, 42, 3_000_000_000, 3_221_225_472)]


def test_a_holder_with_a_lease_is_not_found(store: Store) -> None:
    store.submit([0], [1], lease=0.05)
    holder = store.holder("0", lease=60)
    assert [due.record for due in found(store)] == ["1"]
    assert holder.renew() is Status.OK
    assert store.mds.sweep("job", 60).due == []


def test_the_pauses_between_two_finds_double(store: Store) -> None:
    pause = 0.04
    store.submit(lease=0.01)
    times: list[tuple[float, float]] = []
    for expected in range(2, 6):
        before, after = 0.0, 0.0

        def find() -> list[Due]:
            nonlocal before, after
            before = store.clock()
            due = list(store.mds.sweep("job", pause).due)
            after = store.clock()
            return due

        (due,) = store.eventually(find)
        assert due.invokes == expected
        times.append((before, after))
    gaps = [later[1] - earlier[0] for earlier, later in pairwise(times)]
    for gap, factor in zip(gaps, (1, 2, 4), strict=True):
        assert gap >= pause * factor - TICK


def test_a_record_found_can_be_begun_at_once(store: Store) -> None:
    store.submit(lease=0.01)
    found(store)
    begun = store.stranger(token="late").begin()
    assert (begun.status, begun.begins) == (Status.OK, 1)


def test_at_most_a_hundred_are_told_of_at_once_and_none_is_forgotten(store: Store) -> None:
    store.submit(*([i] for i in range(250)), lease=0.01, parallelism=250)
    seen: list[str] = []

    def sweep() -> bool:
        due = store.mds.sweep("job", 60).due
        assert len(due) <= 100
        seen.extend(item.record for item in due)
        return len(seen) == 250

    store.eventually(sweep)
    assert len(set(seen)) == 250


@pytest.mark.parametrize("call", ["sync", "renew"])
def test_holders_that_are_alive_do_not_hide_those_that_are_silent(store: Store, call: str) -> None:
    """However many there are: only so many records are looked at in one sweep."""
    store.submit(*([i] for i in range(121)), lease=0.2, parallelism=200)
    for number in range(120):
        holder = store.holder(str(number), lease=0.001)
        holder.lease = 60
        assert (holder.sync().status if call == "sync" else holder.renew()) is Status.OK
    assert [due.record for due in found(store)] == ["120"]


def test_a_job_without_records_and_with_sinks_left_is_stalled(store: Store) -> None:
    store.submit([0], [1])
    store.holder("0").sync(end=True)
    assert not store.mds.sweep("job", 1.0).stalled
    store.holder("1").sync(end=True)
    sweep = store.mds.sweep("job", 1.0)
    assert (sweep.state, sweep.stalled) == ("running", True)
    assert "look" not in store.of_job()


def test_a_passed_deadline_is_told(store: Store) -> None:
    started = store.clock()
    store.submit(seconds=0.1)
    sweep: Sweep = store.eventually(lambda: swept if (swept := store.mds.sweep("job", 60)).expired else None)
    assert sweep.state == "running"
    assert store.clock() - started >= 0.1 - TICK
    # It is the scheduler that ends it.
    assert store.mds.close("job", "failed") == "failed"
    assert not store.mds.sweep("job", 60).expired


def test_sweeping_one_job_does_not_touch_another(store: Store) -> None:
    store.submit(job="job", lease=0.01)
    store.submit(job="other", lease=0.01)
    found(store)
    assert store.eventually(lambda: store.mds.sweep("other", 60).due) == [Due("0", 0, 2, -1, 0, 0)]


def test_a_holder_that_the_platform_ended_is_found_at_once(store: Store) -> None:
    store.submit()
    holder = store.holder(token="abcd-1", lease=60)
    holder.sync(current=42, memory=5, memory_limit=6)
    assert store.mds.lost("job", "0", "abcd", "out of memory", True)
    assert found(store) == [Due("0", 1, 2, 42, 5, 6, "out of memory")]
    begun = store.stranger(token="next").begin()
    assert (begun.status, begun.begins) == (Status.OK, 2)
    assert holder.renew() is Status.STALE


def test_a_holder_that_was_taken_for_dead_goes_on_until_somebody_else_begins(store: Store) -> None:
    store.submit()
    holder = store.holder(token="abcd-1")
    assert store.mds.lost("job", "0", "abcd", "killed", True)
    assert holder.renew() is Status.OK
    assert store.mds.sweep("job", 60).due == []
    assert store.stranger(token="next").begin().status is Status.BUSY


def test_what_is_said_of_one_holder_is_not_told_of_the_next(store: Store) -> None:
    store.submit()
    store.holder(token="abcd-1")
    store.mds.lost("job", "0", "abcd", "killed", True)
    store.eventually(lambda: store.stranger(token="next").begin().status is Status.OK)
    assert store.mds.lost("job", "0", "next", "", True)
    assert found(store) == [Due("0", 2, 2, -1, 0, 0, "", deaths=1)]


def test_one_that_only_explains_does_not_end_the_lease(store: Store) -> None:
    store.submit()
    store.holder(token="abcd-1", lease=0.1)
    assert not store.mds.lost("job", "0", "abcd", "it raised", False)
    assert store.mds.sweep("job", 60).due == []
    assert found(store) == [Due("0", 1, 2, -1, 0, 0, "it raised", deaths=1)]


def test_the_end_of_anybody_else_changes_nothing(store: Store) -> None:
    store.submit([0], [1], lease=60)
    store.holder("0", token="abcd-1")
    assert not store.mds.lost("job", "0", "abce", "killed", True)
    assert not store.mds.lost("job", "0", "", "never ran", True)
    assert not store.mds.lost("job", "nothing", "abcd", "killed", True)
    assert not store.mds.lost("other", "0", "abcd", "killed", True)
    assert store.mds.sweep("job", 60).due == []
    assert "r:nothing" not in store.of_job()


def test_an_invocation_that_never_ran_is_found_at_once(store: Store) -> None:
    store.submit([0], [1], lease=60)
    assert store.mds.lost("job", "1", "", "too old", True)
    assert found(store) == [Due("1", 0, 2, -1, 0, 0, "too old")]


def test_one_that_died_before_it_began_waits_and_says_why(store: Store) -> None:
    """Else a function that cannot start would be invoked again as fast as it fails."""
    store.submit(lease=0.1)
    assert not store.mds.lost("job", "0", "abcd", "no module", True)
    assert store.mds.sweep("job", 60).due == []
    assert found(store) == [Due("0", 0, 2, -1, 0, 0, "no module")]


def test_nobody_is_lost_of_a_job_that_ended(store: Store) -> None:
    store.submit()
    store.holder(token="abcd-1")
    store.mds.close("job", "cancelled")
    assert not store.mds.lost("job", "0", "abcd", "killed", True)


def test_a_job_ended_needs_nothing(store: Store) -> None:
    store.submit(lease=0.01, seconds=0.01)
    store.mds.close("job", "cancelled")
    sweep = store.mds.sweep("job", 60)
    assert (sweep.state, list(sweep.due), sweep.stalled, sweep.expired) == ("cancelled", [], False, False)
