"""Reports on their way to the store: what travels as what, in how many calls, and what the answers mean together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from wukong.engine.instructions import Arrivals, Edge, Report
from wukong.mds.store import Answer, Status, Sync, Synced, Verdict
from wukong.testing.kvs import MemoryKvs
from wukong.values.mark import load_json
from wukong.values.signing import Signer
from wukong.values.values import Values
from wukong_executor.memory import Memory
from wukong_executor.reporter import BATCH_BYTES, BATCH_MARKS, LARGE_BYTES, report


class Store:
    """Answers every arrival of the n-th call with the n-th verdict; the last one stands for all others."""

    def __init__(self, *verdicts: Verdict) -> None:
        self.verdicts = list(verdicts)
        self.calls: list[Sync] = []

    def __call__(self, sync: Sync) -> Synced:
        self.calls.append(sync)
        verdict = self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0]
        return Synced(Status.OK, [Answer(verdict, []) for _ in sync.arrivals], room=5, ended=sync.end)


@pytest.fixture
def memory() -> Memory:
    return Memory(Values(MemoryKvs(), Signer(b"k" * 32)), "job", "token", 60, 0)


def fan_in(memory: Memory, values: Sequence[object], child: int = 9999) -> Arrivals:
    memory.by_task.update(enumerate(values))
    return Arrivals(child, len(values) + 1, [Edge(edge, edge, None) for edge in range(len(values))])


def test_small_values_travel_in_their_marks_and_large_ones_are_offered(memory: Memory) -> None:
    store = Store(Verdict.NOT_YET)
    reported = report(Report([fan_in(memory, [1, np.ones(10_000), "x"])], [], True), memory, store, False)
    (call,) = store.calls
    assert [edge for edge, _ in call.arrivals[0].marks] == [0, 2]
    assert call.arrivals[0].offers == [1]
    (answer,) = reported.answers
    assert (answer.verdict, answer.marked, answer.offered) == ("N", [0, 2], [1])


def test_a_wide_fan_in_becomes_several_calls_and_its_offers_go_with_the_last(memory: Memory) -> None:
    values: list[object] = [np.ones(10_000), *range(2 * BATCH_MARKS)]
    store = Store(Verdict.NOT_YET)
    reported = report(Report([fan_in(memory, values)], [], True), memory, store, False)
    assert [len(call.arrivals[0].marks) for call in store.calls] == [BATCH_MARKS, BATCH_MARKS, 0]
    assert [list(call.arrivals[0].offers) for call in store.calls] == [[], [], [0]]
    assert [call.end for call in store.calls] == [False, False, True]
    assert reported.answers[0].marked == list(range(1, 2 * BATCH_MARKS + 1))


def test_no_call_passes_the_limit_of_bytes_by_more_than_its_last_mark(memory: Memory) -> None:
    store = Store(Verdict.NOT_YET)
    values = [b"x" * 4000 for _ in range(200)]
    memory.by_task.update(enumerate(values))
    arrivals = [Arrivals(1000 + task, 2, [Edge(0, task, None)]) for task in range(200)]
    report(Report(arrivals, [], False), memory, store, False)
    sizes = [sum(len(mark) for arrival in call.arrivals for _, mark in arrival.marks) for call in store.calls]
    assert len(sizes) > 1
    assert max(sizes) < BATCH_BYTES + 4096


def test_the_end_is_not_asked_for_when_an_earlier_call_claimed_something(memory: Memory) -> None:
    store = Store(Verdict.CLAIMED)
    reported = report(Report([fan_in(memory, list(range(BATCH_MARKS + 1)))], [], True), memory, store, False)
    assert [call.end for call in store.calls] == [False, False]
    assert reported.answers[0].verdict == "C"
    assert reported.answers[0].marks is None  # wider than a claim brings marks for


def test_a_claim_between_whose_calls_the_store_forgot_it_is_a_claim(memory: Memory) -> None:
    # What was claimed is sent again as a claim that is known, so nobody would tell of it later.
    store = Store(Verdict.CLAIMED, Verdict.NOT_YET)
    reported = report(Report([fan_in(memory, list(range(BATCH_MARKS + 1)))], [], True), memory, store, False)
    assert [call.end for call in store.calls] == [False, False]
    (answer,) = reported.answers
    assert (answer.verdict, answer.marked) == ("C", list(range(BATCH_MARKS + 1)))


def test_an_empty_report_is_one_call(memory: Memory) -> None:
    store = Store(Verdict.NOT_YET)
    assert report(Report([], [], True), memory, store, False).ended
    assert len(store.calls) == 1


def test_a_result_that_is_stored_already_travels_as_its_mark(memory: Memory) -> None:
    store = Store(Verdict.NOT_YET)
    memory.by_task[4] = np.ones(10_000)
    stored = memory.store(4)
    report(Report([], [(4, stored)], True), memory, store, False)
    assert store.calls[0].results == [(4, stored)]


def test_a_result_for_other_languages_is_json_also_when_the_value_is_stored_already(memory: Memory) -> None:
    store = Store(Verdict.NOT_YET)
    memory.by_task[4] = list(range(20_000))
    stored = memory.store(4)
    report(Report([], [(4, stored)], True), memory, store, True)
    ((task, mark),) = store.calls[0].results
    assert task == 4
    assert load_json(mark) == list(range(20_000))


@pytest.mark.parametrize(
    ("verdict", "values", "ended", "forgotten"),
    [
        (Verdict.NOT_YET, [1], True, False),
        (Verdict.NOT_YET, [1], False, True),
        (Verdict.NOT_YET, [np.ones(10_000)], False, False),
        (Verdict.CLAIMED, [1], False, False),
    ],
)
def test_an_end_that_nothing_stands_in_the_way_of_and_is_refused_says_that_the_store_forgot(
    memory: Memory, verdict: Verdict, values: list[object], ended: bool, forgotten: bool
) -> None:
    def send(sync: Sync) -> Synced:
        return Synced(Status.OK, [Answer(verdict, []) for _ in sync.arrivals], room=5, ended=ended)

    for end in (True, False):
        reported = report(Report([fan_in(memory, values)], [], end), memory, send, False)
        assert reported.forgotten is (forgotten and end)


def test_where_nothing_is_delayed_a_large_value_is_stored_once_and_travels_as_its_mark(memory: Memory) -> None:
    store = Store(Verdict.NOT_YET)
    first = fan_in(memory, [1, np.ones(10_000)])
    second = Arrivals(9998, 2, [Edge(0, 1, None)])
    reported = report(Report([first, second], [], True), memory, store, False, delays=False)
    (call,) = store.calls
    assert [[edge for edge, _ in arrival.marks] for arrival in call.arrivals] == [[0, 1], [0]]
    assert not any(arrival.offers for arrival in call.arrivals)
    assert reported.stored == {1: call.arrivals[1].marks[0][1]}
    assert [answer.offered for answer in reported.answers] == [[], []]
    memory.drop([1])
    memory.load(list(reported.stored.items()))
    assert memory.by_task[1].sum() == 10_000


def test_of_the_offered_values_those_are_told_that_take_long_to_write(memory: Memory) -> None:
    values = [np.ones(LARGE_BYTES // 8), np.ones(LARGE_BYTES // 16), 1]
    reported = report(Report([fan_in(memory, values)], [], True), memory, Store(Verdict.NOT_YET), False)
    assert (reported.answers[0].offered, reported.large) == ([0, 1], {0})
    again = report(
        Report([fan_in(memory, values)], [], True), memory, Store(Verdict.NOT_YET), False, large_bytes=10_000
    )
    assert again.large == {0, 1}
