"""Records and their holders: begin, the lease, the guard."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from wukong.mds.store import Arrival, Status, Sync

if TYPE_CHECKING:
    from tests.contract.mds.conftest import Store


def test_begin_tells_a_holder_all_that_it_needs(store: Store) -> None:
    store.submit(
        [0, 1, 2], [5, 6], pages=[b"zero", b"one"], parallelism=7, seconds=100, json_results=True, policy="wukong2020"
    )
    begun = store.stranger("1", "anna").begin([1, 0])
    assert begun.status is Status.OK
    assert (begun.generation, begun.begins, begun.depth, begun.parallelism) == (0, 1, 0, 7)
    assert list(begun.first_tasks) == [0, 64]
    assert begun.ring == store.mds.ring(3)
    assert begun.seconds_left == pytest.approx(100, abs=5)
    assert begun.json_results
    assert begun.policy == "wukong2020"
    assert list(begun.entries) == [5, 6]
    assert (list(begun.inputs), list(begun.claims), list(begun.given)) == ([], [], [])
    assert list(begun.pages) == [b"one", b"zero"]


@pytest.mark.parametrize("asked", [[0, 2], [2, 0], [2], [1, 0, 7, 2]])
def test_begin_brings_all_pages_asked_for_or_none(store: Store, asked: list[int]) -> None:
    """A holder could not tell which ones a shorter answer has."""
    store.submit(pages=[b"zero", b"one"])
    begun = store.stranger(token="anna").begin(asked)
    assert begun.status is Status.OK
    assert list(begun.pages) == []
    assert list(store.stranger(token="anna").begin([1, 0, 1]).pages) == [b"one", b"zero", b"one"]


def test_the_same_token_gets_the_same_reply(store: Store) -> None:
    store.submit([0, 1], seconds=100)
    holder = store.stranger("0", "anna")
    first, second = holder.begin(cold=True), holder.begin(cold=True)
    assert second.begins == 1
    assert second.entries == first.entries
    assert second.seconds_left <= first.seconds_left
    assert store.info().counters.executors == 1
    assert store.info().counters.cold_starts == 1


def test_a_held_record_is_busy_for_others(store: Store) -> None:
    store.submit()
    store.holder()
    keys = store.names()
    assert store.stranger(token="late").begin().status is Status.BUSY
    assert store.names() == keys
    assert store.info().counters.executors == 1


def test_a_record_that_never_was_is_gone(store: Store) -> None:
    store.submit([0])
    keys = store.names()
    stranger = store.stranger("no such record")
    assert stranger.begin().status is Status.GONE
    assert stranger.sync(Arrival(5, 2, [(0, b"N")]), results=[(1, b"N")]).status is Status.GONE
    assert stranger.renew() is Status.GONE
    assert stranger.offload("x", [1]) == (Status.GONE, 0)
    assert stranger.fail() is Status.GONE
    assert store.names() == keys
    assert store.info().state == "running"


def test_a_record_that_ended_is_gone(store: Store) -> None:
    store.submit([0], [1])
    holder = store.holder()
    assert holder.sync(end=True).ended
    assert holder.begin().status is Status.GONE
    assert holder.sync(end=True).status is Status.GONE
    assert holder.renew() is Status.GONE
    assert holder.offload("x", [1]) == (Status.GONE, 0)
    assert holder.fail() is Status.GONE
    assert "r:0" not in store.of_job()
    assert store.info().live_records == 1


def test_a_record_that_nobody_began_is_nobodys(store: Store) -> None:
    store.submit()
    stranger = store.stranger()
    keys = store.names()
    assert stranger.sync(Arrival(5, 2, [(0, b"N")]), results=[(1, b"N")], end=True).status is Status.STALE
    assert stranger.renew() is Status.STALE
    assert stranger.offload("x", [1]) == (Status.STALE, 0)
    assert stranger.fail() is Status.STALE
    assert store.names() == keys


@pytest.mark.parametrize(("token", "generation"), [("other", 0), ("token-0", 1), ("token-0", -1), ("", 0)])
def test_a_wrong_token_or_generation_is_stale(store: Store, token: str, generation: int) -> None:
    store.submit()
    store.holder()
    keys = store.names()
    stranger = store.stranger("0", token, generation=generation)
    call = stranger.sync(Arrival(5, 2, [(0, b"N")]), results=[(1, b"N")], end=True)
    assert call.status is Status.STALE
    assert (call.answers, call.room, call.ended) == ((), 0, False)
    assert stranger.renew() is Status.STALE
    assert stranger.offload("x", [1]) == (Status.STALE, 0)
    assert stranger.fail() is Status.STALE
    assert store.names() == keys
    assert store.info().state == "running"


def test_a_lease_that_ran_out_passes_to_the_next_and_the_last_one_is_stale(store: Store) -> None:
    store.submit([0, 1])
    first = store.holder(token="first", lease=0.05)
    second = store.stranger(token="second")
    begun = store.eventually(lambda: begun if (begun := second.begin()).status is Status.OK else None)
    assert begun.begins == 2
    assert first.renew() is Status.STALE
    assert first.sync(results=[(1, b"N")]).status is Status.STALE
    assert first.fail() is Status.STALE
    assert first.begin().status is Status.BUSY
    assert second.renew() is Status.OK
    assert store.info().counters.executors == 2


def test_a_holder_whose_lease_ran_out_goes_on_while_nobody_took_over(store: Store) -> None:
    store.submit()
    holder = store.holder(lease=0.02)
    store.eventually(lambda: store.mds.sweep("job", 60).due)
    holder.lease = 60
    assert holder.renew() is Status.OK
    assert store.stranger(token="other").begin().status is Status.BUSY


@pytest.mark.parametrize("call", ["renew", "sync", "begin", "offload"])
def test_the_lease_is_renewed_by(store: Store, call: str) -> None:
    store.submit()
    holder = store.holder(lease=0.3)
    calls: dict[str, Callable[[], Status]] = {
        "renew": holder.renew,
        "sync": lambda: holder.sync().status,
        "begin": lambda: holder.begin().status,
        # The same one over and over: the answer is told again, and the lease is renewed all the same.
        "offload": lambda: holder.offload("x")[0],
    }
    started = store.clock()
    while store.clock() - started < 0.45:
        before = store.clock()
        assert calls[call]() is Status.OK
        due = store.mds.sweep("job", 60).due
        if store.clock() - before < 0.29:
            assert list(due) == []
        store.wait(0.02)


def test_a_refused_call_does_not_renew_the_lease(store: Store) -> None:
    store.submit()
    store.holder(lease=0.1)
    other = store.stranger(token="other")

    def taken_over() -> bool:
        other.renew()
        other.sync()
        other.offload("x", [1])
        return other.begin().status is Status.OK

    store.eventually(taken_over, seconds=5)


def test_a_second_holder_finds_claims_and_what_was_given_away(store: Store) -> None:
    store.submit([0, 1, 2, 3], parallelism=9)
    first = store.holder(token="first", lease=0.05)
    assert first.verdicts(Arrival(50, 1, [(0, b"N")]), Arrival(7, 2, [], [0, 1]), Arrival(8, 2, [(0, b"N")])) == "CCN"
    first.offload("a", [2], [3, 50])
    first.offload("b", [9])
    second = store.stranger(token="second")
    begun = store.eventually(lambda: begun if (begun := second.begin()).status is Status.OK else None)
    assert list(begun.entries) == [0, 1, 2, 3]
    assert sorted(begun.claims) == [7, 50]
    assert sorted(begun.given) == [2, 3, 9, 50]


def test_only_one_of_many_becomes_the_holder(store: Store) -> None:
    store.submit()
    statuses: list[Status] = []

    def begin(number: int) -> None:
        statuses.append(store.stranger(token=f"token {number}").begin().status)

    threads = [threading.Thread(target=begin, args=[number]) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status.value for status in statuses) == ["BUSY"] * 11 + ["OK"]


def test_every_call_is_one_round_trip(store: Store) -> None:
    store.submit(pages=[b"a", b"b"])
    holder = store.holder()

    calls: list[Callable[[], object]] = [
        lambda: holder.begin([0, 1]),
        lambda: holder.sync(Arrival(5, 2, [(0, b"N")]), Arrival(6, 2, [], [1]), results=[(9, b"N")]),
        lambda: store.mds.marks("job", 0, 5, range(1000)),
        lambda: store.mds.pages("job", [0, 1]),
        lambda: store.mds.results("job", range(100)),
        lambda: store.mds.job("job"),
    ]
    for call in calls:
        call()  # The server learns the script.
        before = store.mds.round_trips
        call()
        assert store.mds.round_trips == before + 1


def test_unicode_names_and_tokens(store: Store) -> None:
    store.submit()
    holder = store.holder(token="jötunn-\u2603")
    holder.offload("größe-1", [3])
    child = store.holder("größe-1.0")
    assert list(child.begun.entries) == [3]
    assert store.mds.sync("job", "größe-1.0", child.token, 0, 60, Sync(end=True)).ended
