"""What a job did, its slowest tasks, and what it may cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wukong.mds.budget import Budget
from wukong.mds.counters import NAMES, Counters
from wukong.mds.store import SLOWEST, LogText, Status, TaskTime
from wukong.prices import Prices

if TYPE_CHECKING:
    from tests.contract.mds.conftest import Store

#: A dollar for a GB-second, a cent for an invocation.
DEAR = Prices(1.0, 0.01)

#: One GB-second.
GB_SECOND = Counters(mb_ms=1024 * 1000)


def test_counters_add_up(store: Store) -> None:
    store.submit([0], [1], parallelism=9)
    first, second = store.stranger("0"), store.stranger("1")
    first.begin(cold=True)
    second.begin()
    work = Counters(tasks_run=3, round_trips=5, bytes_read=2**40, bytes_written=1)
    first.sync(counters=work)
    second.sync(counters=work)
    second.sync()
    first.offload("x", [1], [2])
    assert store.info().counters == Counters(
        tasks_run=6,
        executors=2,
        cold_starts=1,
        invocations=4,
        round_trips=10,
        bytes_read=2**41,
        bytes_written=2,
    )


def test_every_counter_is_a_sum_but_the_peaks(store: Store) -> None:
    store.submit()
    holder = store.holder()
    before = store.info().counters
    one = Counters(**{name: number for number, name in enumerate(NAMES, 2)})
    two = Counters(**{name: 100 * number for number, name in enumerate(NAMES, 1)})
    for work in (one, two, one):
        holder.sync(counters=work)
    found = store.info().counters
    peaks = {name for name in NAMES if name.startswith("peak_")}
    assert peaks == {"peak_memory", "peak_stored"}
    for name in peaks:
        assert getattr(found, name) == getattr(two, name)
    for name in set(NAMES) - peaks:
        expected = 2 * getattr(one, name) + getattr(two, name)
        assert getattr(found, name) == getattr(before, name) + expected


def test_a_refused_call_counts_nothing(store: Store) -> None:
    store.submit()
    store.holder()
    before = store.info()
    nobody = store.stranger(token="other")
    nobody.sync(counters=Counters(tasks_run=3), logs=[LogText(1, "stdout", "x")], slowest=[TaskTime(1, "x", 5)])
    assert store.info() == before
    assert [(event.kind, event.text) for event in store.mds.events("job")] == [("state", "running")]


# The slowest tasks.


def test_the_slowest_tasks_of_all_executors_are_kept(store: Store) -> None:
    store.submit([0], [1])
    first, second = store.holder("0"), store.holder("1")
    assert list(store.info().slowest) == []
    first.sync(slowest=[TaskTime(task, f"('x', {task})", 1000 * task) for task in range(SLOWEST)])
    second.sync(slowest=[TaskTime(90, "ä\u2603", 3500), TaskTime(91, "", 1)])
    first.sync()
    assert list(store.info().slowest) == [
        TaskTime(4, "('x', 4)", 4000),
        TaskTime(90, "ä\u2603", 3500),
        TaskTime(3, "('x', 3)", 3000),
        TaskTime(2, "('x', 2)", 2000),
        TaskTime(1, "('x', 1)", 1000),
    ]


def test_of_equally_slow_tasks_some_are_kept(store: Store) -> None:
    store.submit()
    store.holder().sync(slowest=[TaskTime(task, "same key", 70) for task in range(20)])
    assert [time.task for time in store.info().slowest] == [9, 8, 7, 6, 5]


def test_a_task_that_ran_again_counts_with_its_last_run(store: Store) -> None:
    store.submit()
    holder = store.holder()
    holder.sync(slowest=[TaskTime(1, "x", 900), TaskTime(1, "x", 700), TaskTime(2, "y", 800)])
    holder.sync(slowest=[TaskTime(2, "y", 100)])
    assert list(store.info().slowest) == [TaskTime(1, "x", 700), TaskTime(2, "y", 100)]


def test_the_slowest_tasks_go_with_the_job(store: Store) -> None:
    store.submit()
    store.holder().sync(slowest=[TaskTime(1, "x", 900)], results=[(1, b"N")], end=True)
    assert store.of_job() == ["e", "first", "m", "p:0", "s", "slow"]
    store.mds.purge("job", 60)
    assert store.of_job() == ["m"]
    assert list(store.info().slowest) == []


# Budgets.


def test_a_job_ends_with_the_call_that_exceeds_its_budget(store: Store) -> None:
    store.submit([0], [1], budget=Budget(2.5, DEAR))
    first, second = store.holder("0"), store.holder("1")
    assert first.sync(counters=GB_SECOND).status is Status.OK
    assert second.sync(counters=GB_SECOND).status is Status.OK
    assert store.info().state == "running"
    assert first.sync(counters=GB_SECOND, end=True).status is Status.STOP
    info = store.info()
    assert info.state == "failed"
    assert info.ended >= info.created
    assert info.failure is not None
    assert info.failure.error == "BudgetExceeded"
    assert info.failure.attributes == {
        "limit": 2.5,
        "value": pytest.approx(3.02),
        "seconds": pytest.approx(info.ended - info.created, abs=0.002),
        "tasks_run": info.counters.tasks_run,
        "tasks": info.tasks,
    }
    assert "$3.02" in info.failure.message
    assert "$2.50" in info.failure.message
    assert second.sync().status is Status.STOP
    assert [event.text for event in store.mds.events("job")] == ["running", "failed"]
    assert store.mds.close("job", "cancelled") == "failed"


def test_invocations_count_too(store: Store) -> None:
    store.submit([0], parallelism=100, budget=Budget(0.05, DEAR))
    holder = store.holder()
    holder.offload("x", [1], [2], [3], [4])
    assert holder.sync().status is Status.OK
    holder.offload("y", [5])
    assert holder.sync().status is Status.STOP
    assert store.info().state == "failed"


def test_a_job_that_is_done_with_the_same_call_is_done(store: Store) -> None:
    store.submit(budget=Budget(0.5, DEAR))
    assert store.holder().sync(counters=GB_SECOND, results=[(7, b"N")], end=True).ended
    info = store.info()
    assert (info.state, info.failure) == ("done", None)


def test_what_a_refused_call_says_costs_nothing(store: Store) -> None:
    store.submit(budget=Budget(0.5, DEAR))
    store.holder()
    assert store.stranger(token="other").sync(counters=GB_SECOND).status is Status.STALE
    assert store.info().state == "running"


def test_another_failure_is_told_as_it_was(store: Store) -> None:
    store.submit(budget=Budget(5.0, DEAR))
    holder = store.holder()
    holder.sync(counters=GB_SECOND)
    holder.fail("it raised")
    failure = store.info().failure
    assert failure is not None
    assert (failure.error, failure.message) == ("TaskError", "it raised")
