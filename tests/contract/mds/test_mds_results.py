"""Results of sinks, the end of a job, and events."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from wukong.mds.store import PRINTED_BYTES, PRINTED_END, Arrival, Event, LogText, Retried, Status

if TYPE_CHECKING:
    from tests.contract.mds.conftest import Store


def texts(store: Store, job: str = "job") -> list[tuple[str, str]]:
    return [(event.kind, event.text) for event in store.mds.events(job)]


# Results.


def test_the_job_is_done_with_its_last_sink_and_says_so_once(store: Store) -> None:
    store.submit([0], [1], sinks=3)
    first, second = store.holder("0"), store.holder("1")
    assert first.sync(results=[(7, b"I7"), (8, b"I8")]).status is Status.OK
    assert (store.info().state, store.info().sinks_left) == ("running", 1)
    assert second.sync(results=[(9, b"I9")]).status is Status.OK
    info = store.info()
    assert (info.state, info.sinks_left) == ("done", 0)
    assert info.ended >= info.created
    assert first.sync(results=[(9, b"I0")]).status is Status.STOP
    assert texts(store) == [("state", "running"), ("state", "done")]
    assert store.mds.results("job", [9, 7, 8]) == [b"I9", b"I7", b"I8"]


def test_the_first_result_counts(store: Store) -> None:
    store.submit([0], [1], sinks=2)
    first, second = store.holder("0"), store.holder("1")
    first.sync(results=[(7, b"first")])
    for _ in range(3):
        assert second.sync(results=[(7, b"second")]).status is Status.OK
    first.sync(results=[(7, b"third"), (7, b"fourth")])
    assert store.info().sinks_left == 1
    assert store.mds.results("job", [7]) == [b"first"]


def test_a_sink_that_comes_twice_in_one_call_counts_once(store: Store) -> None:
    store.submit(sinks=2)
    store.holder().sync(results=[(7, b"first"), (7, b"second")])
    assert store.info().sinks_left == 1
    assert store.mds.results("job", [7]) == [b"first"]


@pytest.mark.parametrize("mark", [b"N", b"I0", b"F", b"", b"\x00\r\n", "ä\u2603".encode(), bytes(2 * 1024 * 1024)])
def test_results_are_any_bytes(store: Store, mark: bytes) -> None:
    store.submit()
    store.holder().sync(results=[(0, mark)])
    assert store.info().state == "done"
    assert store.mds.results("job", [0, 1]) == [mark, None]


def test_many_results(store: Store) -> None:
    count = 25_000
    store.submit(sinks=count)
    holder = store.holder()
    for start in range(0, count, 500):
        holder.sync(results=[(task, b"I%d" % task) for task in range(start, start + 500)])
    assert store.info().state == "done"
    assert store.mds.results("job", range(count)) == [b"I%d" % task for task in range(count)]
    assert store.mds.results("job", []) == []


def test_results_stay_until_the_purge(store: Store) -> None:
    store.submit()
    store.holder().sync(results=[(7, b"I7")], end=True)
    assert store.mds.close("job", "cancelled") == "done"
    assert store.mds.results("job", [7]) == [b"I7"]
    store.mds.purge("job", 60)
    assert store.mds.results("job", [7]) == [None]


def test_a_call_commits_claims_and_ends_together(store: Store) -> None:
    store.submit([0], [1], sinks=2)
    holder = store.holder()
    synced = holder.sync(Arrival(5, 2, [(0, b"a")]), results=[(7, b"I7")], end=True)
    assert (synced.status, synced.ended) == (Status.OK, True)
    assert store.info().sinks_left == 1
    assert store.of_job() == ["e", "f:0:5", "first", "look", "m", "o:0", "p:0", "r:1", "s"]


def test_the_last_commit_ends_the_record_too(store: Store) -> None:
    store.submit()
    assert store.holder().sync(results=[(7, b"I7")], end=True).ended
    assert store.of_job() == ["e", "first", "m", "p:0", "s"]
    assert store.info().live_records == 0


def test_of_two_that_commit_at_once_the_job_ends_once(store: Store) -> None:
    for round_ in range(20):
        job = f"job-{round_}"
        store.submit([0], [1], job=job, sinks=2)
        holders = [store.holder(str(i), job=job) for i in range(2)]
        together = threading.Barrier(2)

        def commit(i: int, holders: list = holders, together: threading.Barrier = together) -> None:  # type: ignore[type-arg]
            together.wait()
            holders[i].sync(results=[(i, b"N")])

        threads = [threading.Thread(target=commit, args=[i]) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.info(job).state == "done"
        assert texts(store, job) == [("state", "running"), ("state", "done")]


def test_of_done_failed_and_cancelled_at_once_one_wins(store: Store) -> None:
    for round_ in range(20):
        job = f"job-{round_}"
        store.submit([0], [1], job=job)
        first, second = store.holder("0", job=job), store.holder("1", job=job)
        calls = [
            lambda first=first: first.sync(results=[(7, b"N")]),
            lambda second=second: second.fail(),
            lambda job=job: store.mds.close(job, "cancelled"),
        ]
        threads = [threading.Thread(target=call) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        info = store.info(job)
        assert info.state in ("done", "failed", "cancelled")
        assert texts(store, job) == [("state", "running"), ("state", info.state)]
        assert (info.sinks_left == 0) == (info.state == "done")
        assert (info.failure is None) == (info.state != "failed")


# Events.


def test_what_tasks_print_is_told_in_order(store: Store) -> None:
    store.submit(sinks=1)
    holder = store.holder()
    logs = [
        LogText(3, "stdout", "eins\n", "x"),
        LogText(4, "stderr", "zwei ä\u2603\n"),
        LogText(3, "stdout", "", "('x', 3)"),
    ]
    holder.sync(logs=logs, results=[(7, b"N")])
    events = store.mds.events("job")
    told = [(event.kind, event.task, event.key, event.stream, event.text) for event in events]
    assert told == [
        ("state", -1, "", "", "running"),
        ("log", 3, "x", "stdout", "eins\n"),
        ("log", 4, "", "stderr", "zwei ä\u2603\n"),
        ("log", 3, "('x', 3)", "stdout", ""),
        ("state", -1, "", "", "done"),
    ]


def test_tasks_that_are_run_again_are_told(store: Store) -> None:
    store.submit(sinks=1)
    retried = [Retried(3, 1, "ValueError: ä\udc80"), Retried(3, 2, "KeyError: 1")]
    store.holder().sync(logs=[LogText(3, "stdout", "x")], retried=retried, results=[(7, b"N")])
    told = [(event.kind, event.task, event.attempt, event.text) for event in store.mds.events("job")]
    assert told == [
        ("state", -1, 0, "running"),
        ("log", 3, 0, "x"),
        ("retried", 3, 1, "ValueError: ä?"),
        ("retried", 3, 2, "KeyError: 1"),
        ("state", -1, 0, "done"),
    ]


def test_text_that_no_encoding_can_carry_does_not_stop_the_beat(store: Store) -> None:
    store.submit()
    assert store.holder().sync(logs=[LogText(3, "stdout", "a\udc80b")]).status is Status.OK
    assert texts(store)[1] == ("log", "a?b")


def test_events_resume_after_any_of_them(store: Store) -> None:
    store.submit(sinks=2)
    holder = store.holder()
    for i in range(5):
        holder.sync(logs=[LogText(i, "stdout", f"{i}.{j}") for j in range(3)])
    events = store.mds.events("job")
    assert len(events) == 16
    assert len({event.sequence for event in events}) == 16
    for position, event in enumerate(events):
        assert store.mds.events("job", event.sequence) == events[position + 1 :]
    assert store.mds.events("job", "0", 4) == events[:4]
    assert store.mds.events("job", events[3].sequence, 4) == events[4:8]
    seen: list[Event] = []
    while more := store.mds.events("job", seen[-1].sequence if seen else "0", 3):
        seen += more
    assert seen == events


def test_old_events_make_room_for_new_ones(store: Store) -> None:
    store.submit()
    holder = store.holder()
    for start in range(0, 11_000, 500):
        holder.sync(logs=[LogText(i, "stdout", str(i)) for i in range(start, start + 500)])
    events = store.mds.events("job", count=20_000)
    assert 10_000 <= len(events) < 10_500
    assert [event.text for event in events[-10_000:]] == [str(i) for i in range(1000, 11_000)]


def test_a_beat_without_news_is_no_event(store: Store) -> None:
    store.submit()
    holder = store.holder()
    holder.sync(Arrival(5, 2, [(0, b"N")]), current=4)
    assert texts(store) == [("state", "running")]


def test_a_job_that_prints_too_much_is_cut_with_a_word(store: Store) -> None:
    store.submit([0], [1], sinks=2)
    holders = [store.holder("0"), store.holder("1")]
    piece = "\u2603" * (PRINTED_BYTES // 30)  # three bytes each
    for turn in range(14):
        assert holders[turn % 2].sync(logs=[LogText(turn, "stdout", piece)]).status is Status.OK
    holders[0].sync(logs=[LogText(0, "stdout", "more")], results=[(7, b"N")])
    first, *logs = store.mds.events("job")
    assert first.kind == "state"
    assert [event.task for event in logs] == list(range(11))
    assert {event.text for event in logs[:-1]} == {piece}
    assert logs[-1].text == piece + PRINTED_END
