"""Fan-ins between executors: marks, offers, claims and what frees them."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

import pytest

from wukong.mds.store import Answer, Arrival, Status, Verdict

if TYPE_CHECKING:
    from tests.contract.mds.conftest import Holder, Store

NONE, ZERO, FALSE, EMPTY = b"N", b"I0", b"F", b""


@pytest.fixture
def three(store: Store) -> list[Holder]:
    store.submit([0], [1], [2], [3])
    return [store.holder(record) for record in ("0", "1", "2")]


def test_the_last_arrival_claims_and_gets_the_marks_of_the_others(store: Store, three: list[Holder]) -> None:
    first, second, third = three
    assert first.verdicts(Arrival(9, 3, [(0, b"first")])) == "N"
    assert second.verdicts(Arrival(9, 3, [(2, b"second")])) == "N"
    answer = third.sync(Arrival(9, 3, [(1, b"third")])).answers[0]
    assert answer.verdict is Verdict.CLAIMED
    assert sorted(answer.marks) == [(0, b"first"), (2, b"second")]
    assert first.verdicts(Arrival(9, 3, [(0, b"first")])) == "T"
    assert second.verdicts(Arrival(9, 3, [], [2])) == "T"


@pytest.mark.parametrize("how", ["".join(how) for how in itertools.product("mo", repeat=3)])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_marks_and_offers_in_any_order(store: Store, three: list[Holder], how: str, order: tuple[int, ...]) -> None:
    """Each of three has one edge, offers it or marks it, and marks it when the offer was not enough."""
    verdicts: dict[int, str] = {}
    for edge in order:
        mark, offer = Arrival(9, 3, [(edge, b"I%d" % edge)]), Arrival(9, 3, [], [edge])
        if how[edge] == "o":
            verdicts[edge] = three[edge].verdicts(offer)
            if verdicts[edge] == "N":
                verdicts[edge] = three[edge].verdicts(mark)
        else:
            verdicts[edge] = three[edge].verdicts(mark)
    assert [verdicts[edge] for edge in order] == ["N", "N", "C"]
    claimer = three[order[2]]
    left = [edge for edge in range(3) if edge != order[2]]
    assert store.mds.marks("job", 0, 9, left) == [b"I%d" % edge for edge in left]
    assert list(claimer.begin().claims) == [9]


def test_an_offer_alone_leaves_nothing_behind(store: Store, three: list[Holder]) -> None:
    keys = store.names()
    assert three[0].verdicts(Arrival(9, 2, [], [0])) == "N"
    assert store.names() == keys
    assert three[1].verdicts(Arrival(9, 2, [], [1])) == "N"
    assert three[0].verdicts(Arrival(9, 2, [(0, NONE)])) == "N"
    assert three[1].verdicts(Arrival(9, 2, [], [1])) == "C"
    assert store.mds.marks("job", 0, 9, [0, 1]) == [NONE, None]


def test_offers_that_are_complete_by_themselves_claim(store: Store, three: list[Holder]) -> None:
    assert three[0].verdicts(Arrival(9, 2, [], [0, 1])) == "C"
    assert three[1].verdicts(Arrival(9, 2, [], [0, 1])) == "T"
    assert "f:0:9" not in store.of_job()


def test_an_edge_that_is_marked_and_offered_counts_once(three: list[Holder]) -> None:
    assert three[0].verdicts(Arrival(9, 2, [(0, NONE)])) == "N"
    assert three[1].verdicts(Arrival(9, 2, [], [0])) == "N"
    assert three[1].verdicts(Arrival(9, 2, [(0, NONE)], [0])) == "N"
    assert three[1].verdicts(Arrival(9, 3, [(0, NONE)], [0, 1])) == "N"
    assert three[1].verdicts(Arrival(9, 2, [(0, NONE)], [0, 1])) == "C"


def test_a_mark_that_is_repeated_counts_once_and_the_last_one_stands(store: Store, three: list[Holder]) -> None:
    for mark in (b"old", b"old", b"new"):
        assert three[0].verdicts(Arrival(9, 2, [(0, mark)])) == "N"
    assert store.mds.marks("job", 0, 9, [0]) == [b"new"]
    assert three[1].verdicts(Arrival(9, 2, [(1, NONE)])) == "C"


def test_a_claim_that_is_repeated_gives_the_same_answer(store: Store, three: list[Holder]) -> None:
    three[0].sync(Arrival(9, 3, [(0, b"a"), (2, b"c")]))
    arrival = Arrival(9, 3, [(1, b"b")])
    first = three[1].sync(arrival)
    assert [three[1].sync(arrival) for _ in range(2)] == [first, first]
    assert sorted(first.answers[0].marks) == [(0, b"a"), (2, b"c")]
    assert list(three[1].begin().claims) == [9]
    # An arrival that says less is answered with more.
    assert sorted(three[1].sync(Arrival(9, 3, [])).answers[0].marks) == [(0, b"a"), (1, b"b"), (2, b"c")]


def test_a_claim_by_offer_that_is_repeated_after_a_lost_answer(three: list[Holder]) -> None:
    three[0].sync(Arrival(9, 2, [(0, b"a")]))
    offer = Arrival(9, 2, [], [1])
    assert three[1].sync(offer) == three[1].sync(offer)
    # The holder stored the value because it did not know; it still is the owner.
    assert three[1].verdicts(Arrival(9, 2, [(1, b"b")])) == "C"


def test_a_claim_outlives_its_holder(store: Store) -> None:
    store.submit([0], [1])
    first, other = store.holder("0", "first", lease=0.05), store.holder("1")
    other.sync(Arrival(9, 2, [(0, b"a")]))
    assert first.verdicts(Arrival(9, 2, [], [1])) == "C"
    second = store.stranger("0", "second")
    store.eventually(lambda: second.begin().status is Status.OK)
    assert list(second.begun.claims) == [9]
    assert other.verdicts(Arrival(9, 2, [(0, b"a")])) == "T"
    assert second.sync(Arrival(9, 2, [(1, b"b")])).answers == [Answer(Verdict.CLAIMED, [(0, b"a")])]
    assert store.mds.marks("job", 0, 9, [0, 1]) == [b"a", None]


def test_several_fan_ins_in_one_call_are_answered_in_order(three: list[Holder]) -> None:
    three[1].sync(Arrival(5, 2, [(0, b"a")]), Arrival(7, 1, [(0, b"b")]))
    synced = three[0].sync(
        Arrival(5, 2, [(1, b"x")]), Arrival(6, 2, [], [0]), Arrival(7, 1, [(0, b"y")]), Arrival(8, 2, [(1, b"z")])
    )
    assert [answer.verdict.value for answer in synced.answers] == ["C", "N", "T", "N"]
    assert [list(answer.marks) for answer in synced.answers] == [[(0, b"a")], [], [], []]


@pytest.mark.parametrize("mark", [NONE, ZERO, FALSE, EMPTY, b"0", b"\x00", b"\r\n$-1\r\n", "ä\u2603".encode()])
def test_marks_are_any_bytes(store: Store, three: list[Holder], mark: bytes) -> None:
    assert three[0].verdicts(Arrival(9, 2, [(0, mark)])) == "N"
    assert three[1].sync(Arrival(9, 2, [(1, b"x")])).answers == [Answer(Verdict.CLAIMED, [(0, mark)])]
    assert store.mds.marks("job", 0, 9, [1, 0, 2]) == [b"x", mark, None]


def test_large_marks(three: list[Holder]) -> None:
    marks = [(edge, bytes([edge]) * 4096) for edge in range(63)]
    assert three[0].verdicts(Arrival(9, 64, marks)) == "N"
    answer = three[1].sync(Arrival(9, 64, [(63, bytes(1024 * 1024))])).answers[0]
    assert sorted(answer.marks) == marks


@pytest.mark.parametrize("need", [256, 257, 5000])
def test_a_wide_claim_brings_no_marks_but_they_can_be_read(store: Store, three: list[Holder], need: int) -> None:
    marks = [(edge, b"I%d" % edge) for edge in range(need)]
    for start in range(0, need - 1, 500):
        assert three[0].verdicts(Arrival(9, need, marks[start : min(start + 500, need - 1)])) == "N"
    answer = three[1].sync(Arrival(9, need, marks[-1:])).answers[0]
    assert answer.verdict is Verdict.CLAIMED
    assert sorted(answer.marks) == (marks[:-1] if need <= 256 else [])
    assert store.mds.marks("job", 0, 9, range(need)) == [mark for _, mark in marks]


def test_many_offers_in_one_call(three: list[Holder]) -> None:
    assert three[0].verdicts(Arrival(9, 20_001, [], range(20_000))) == "N"
    assert three[1].verdicts(Arrival(9, 20_001, [(20_000, NONE)])) == "N"
    assert three[0].verdicts(Arrival(9, 20_001, [], range(20_000))) == "C"


def test_many_marks_in_one_call(store: Store, three: list[Holder]) -> None:
    """More than the protocol's batch; a script must not fail half-way for it."""
    marks = [(edge, b"I%d" % edge) for edge in range(20_000)]
    assert three[0].verdicts(Arrival(9, 20_001, marks)) == "N"
    assert store.mds.marks("job", 0, 9, range(20_001)) == [*(mark for _, mark in marks), None]


def test_task_ids_up_to_the_largest(store: Store, three: list[Holder]) -> None:
    child = 2**32 - 1
    assert three[0].verdicts(Arrival(child, 2, [(0, b"a")])) == "N"
    assert three[1].sync(Arrival(child, 2, [(1, b"b")])).answers == [Answer(Verdict.CLAIMED, [(0, b"a")])]
    assert list(three[1].begin().claims) == [child]


# The end of a record.


def test_the_end_is_refused_when_something_was_claimed_in_the_call(store: Store, three: list[Holder]) -> None:
    three[0].sync(Arrival(9, 2, [(0, b"a")]))
    synced = three[1].sync(Arrival(9, 2, [(1, b"b")]), end=True)
    assert (synced.answers[0].verdict, synced.ended) == (Verdict.CLAIMED, False)
    assert three[1].renew() is Status.OK
    # The same call again is the same answer, also for what it claimed before.
    assert not three[1].sync(Arrival(9, 2, [(1, b"b")]), end=True).ended
    assert three[1].sync(end=True).ended


def test_the_end_is_refused_while_an_offer_is_not_yet_enough(three: list[Holder]) -> None:
    assert not three[0].sync(Arrival(9, 2, [], [0]), end=True).ended
    assert not three[0].sync(Arrival(8, 3, [(1, NONE)], [0]), Arrival(9, 2, [(0, NONE)]), end=True).ended
    assert three[0].sync(Arrival(9, 2, [(0, NONE)]), Arrival(8, 3, [(0, NONE)]), end=True).ended


def test_the_end_is_not_refused_by_what_others_took(three: list[Holder]) -> None:
    three[0].sync(Arrival(9, 1, [(0, NONE)]))
    assert three[1].sync(Arrival(9, 1, [], [0]), end=True).ended


def test_the_end_frees_what_its_claims_consumed_and_nothing_else(store: Store, three: list[Holder]) -> None:
    first, second, third = three
    first.sync(Arrival(7, 2, [(0, b"a")]), Arrival(8, 2, [(0, b"a")]), Arrival(9, 2, [(0, b"a")]))
    assert second.verdicts(Arrival(7, 2, [(1, b"b")])) == "C"
    assert third.verdicts(Arrival(8, 2, [], [1])) == "C"
    assert second.sync(end=True).ended
    assert [key for key in store.of_job() if key.startswith(("f:", "r:"))] == ["f:0:8", "f:0:9", "r:0", "r:2", "r:3"]
    assert store.mds.marks("job", 0, 7, [0, 1]) == [None, None]
    # Who owned it stays known: a late arrival does not start it anew.
    assert first.verdicts(Arrival(7, 2, [(0, b"a")])) == "T"
    assert "f:0:7" not in store.of_job()


def test_a_holder_that_ends_leaves_its_marks(store: Store, three: list[Holder]) -> None:
    assert three[0].sync(Arrival(9, 2, [(0, b"a")]), end=True).ended
    assert three[1].sync(Arrival(9, 2, [(1, b"b")])).answers == [Answer(Verdict.CLAIMED, [(0, b"a")])]


def test_of_many_that_arrive_at_once_exactly_one_claims(store: Store) -> None:
    width, rounds = 8, 25
    store.submit(*([i] for i in range(width)))
    holders = [store.holder(str(i)) for i in range(width)]
    verdicts: list[list[str]] = [[] for _ in range(width)]
    together = threading.Barrier(width)

    def arrive(edge: int) -> None:
        for child in range(rounds):
            together.wait()
            verdict = holders[edge].verdicts(Arrival(child, width, [], [edge]))
            if verdict == "N":
                verdict = holders[edge].verdicts(Arrival(child, width, [(edge, b"I%d" % edge)]))
            verdicts[edge].append(verdict)

    threads = [threading.Thread(target=arrive, args=[edge]) for edge in range(width)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for child in range(rounds):
        assert sorted(row[child] for row in verdicts) == ["C"] + ["N"] * (width - 1)
    claims = [claim for holder in holders for claim in holder.begin().claims]
    assert sorted(claims) == list(range(rounds))
