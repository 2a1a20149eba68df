from __future__ import annotations

import dataclasses

import pytest

from wukong.mds.counters import Counters
from wukong.mds.spent import Spent
from wukong.mds.store import Due, JobInfo, Sweep
from wukong_scheduler.sweeping import GENERATIONS, MAX_INVOCATIONS, MIB, expiring, forgotten, judge

INFO = JobInfo(
    state="done",
    generation=0,
    tasks=1,
    sinks=1,
    sinks_left=0,
    parallelism=1,
    ring_version=1,
    live_records=0,
    created=1000.0,
    ended=2000.0,
    deadline=9000.0,
    expires=9900.0,
    json_results=False,
    counters=Counters(),
    failure=None,
)


def due(record: str, begins: int = 0, invokes: int = 1, current: int = -1, memory: int = 0, deaths: int = 0) -> Due:
    return Due(record, begins, invokes, current, memory * MIB, 3000 * MIB if begins else 0, "", "", deaths)


def test_silent_records_are_invoked_again() -> None:
    verdict = judge(Sweep("running", [due("0"), due("x.1", begins=19, invokes=12, current=3, deaths=4)]), "f", 5)
    assert verdict.invoke == ["0", "x.1"]
    assert verdict.failure is None


def test_nothing_due_calls_for_nothing() -> None:
    verdict = judge(Sweep("running"), "f", 5)
    assert (list(verdict.invoke), verdict.restart, verdict.failure) == ([], False, None)


def test_a_task_that_ended_all_its_executors_ends_the_job() -> None:
    verdict = judge(Sweep("running", [due("0"), due("1", 6, 3, current=7, memory=2900, deaths=5)]), "f", 5)
    assert verdict.failure is not None
    assert (verdict.failure.error, verdict.failure.task) == ("ExecutorLost", 7)
    assert "task 7 was lost: the task ended 5 executors, without a word" in verdict.failure.message
    assert "2,900 of 3,000 MiB" in verdict.failure.message
    assert "probably out of memory" in verdict.failure.message
    assert list(verdict.invoke) == []


def test_the_cause_is_not_guessed_where_the_platform_names_it() -> None:
    why = "the function's time limit (Task timed out after 900.00 seconds)"
    record = dataclasses.replace(due("1", 3, 3, current=7, memory=2900, deaths=2), why=why)
    failure = judge(Sweep("running", [record]), "f", 2).failure
    assert failure is not None
    assert "out of memory" not in failure.message
    assert "Cut the task into smaller ones" in failure.message


def test_what_the_platform_says_is_the_cause() -> None:
    record = dataclasses.replace(due("1", 3, 3, current=7, memory=2900, deaths=2), why="out of memory", key="('x', 7)")
    failure = judge(Sweep("running", [record]), "f", 2).failure
    assert failure is not None
    assert "('x', 7)" in failure.message
    assert "ended 2 executors, the last one with: out of memory, with 2,900 of 3,000 MiB in use" in failure.message
    assert "without a word" not in failure.message
    assert "probably" not in failure.message
    assert failure.message.endswith("Use smaller chunks, or a larger memory_mb.")
    assert failure.attributes["probable_cause"] in failure.message


def test_a_record_that_nobody_can_begin_says_what_the_platform_says() -> None:
    record = dataclasses.replace(due("0", invokes=MAX_INVOCATIONS + 1), why="Runtime.ImportModuleError: no module")
    failure = judge(Sweep("running", [record]), "f", 5).failure
    assert failure is not None
    assert "The platform says of the last one: Runtime.ImportModuleError: no module" in failure.message


def test_executors_lost_before_they_ran_a_task_name_none() -> None:
    failure = judge(Sweep("running", [due("1", 5, memory=200, deaths=5)]), "f", 5).failure
    assert failure is not None
    assert (failure.error, failure.task) == ("ExecutorLost", -1)
    assert "ended 5 times before they ran a task" in failure.message
    assert "-1" not in failure.message
    assert "200 of 3,000 MiB" in failure.message
    assert "probably out" not in failure.message


def test_a_record_whose_executors_die_of_one_task_after_the_other_ends_the_job_at_last() -> None:
    failure = judge(Sweep("running", [due("1", 20, current=7, deaths=1)]), "f", 5).failure
    assert failure is not None
    assert (failure.error, failure.task) == ("ExecutorLost", -1)
    assert "ended 20 times, at different tasks" in failure.message


def test_a_record_that_nobody_ever_begins_ends_the_job_at_last() -> None:
    assert judge(Sweep("running", [due("0", invokes=MAX_INVOCATIONS)]), "f", 5).failure is None
    failure = judge(Sweep("running", [due("0", invokes=MAX_INVOCATIONS + 1)]), "executor-function", 5).failure
    assert failure is not None
    assert failure.error == "ClusterUnavailable"
    assert "executor-function" in failure.message


@pytest.mark.parametrize(
    ("sweep", "error"),
    [
        (Sweep("running", expired=True), "DeadlineExceeded"),
        (Sweep("running", stalled=True, generation=GENERATIONS - 1), "ClusterUnavailable"),
    ],
)
def test_a_passed_deadline_and_the_last_stall_end_the_job(sweep: Sweep, error: str) -> None:
    failure = judge(sweep, "f", 5).failure
    assert failure is not None
    assert failure.error == error


@pytest.mark.parametrize("generation", range(GENERATIONS - 1))
def test_a_stalled_job_starts_again(generation: int) -> None:
    verdict = judge(Sweep("running", stalled=True, generation=generation), "f", 5)
    assert (verdict.restart, verdict.failure, list(verdict.invoke)) == (True, None, [])


def test_a_stall_that_comes_back_says_how_often_the_job_was_started() -> None:
    failure = judge(Sweep("running", stalled=True, generation=2), "f", 5).failure
    assert failure is not None
    assert "started 3 times" in failure.message
    assert failure.attributes == {"generations": 3}


def test_a_passed_deadline_says_what_was_spent() -> None:
    failure = judge(Sweep("running", expired=True), "f", 5, Spent(0.0125, 61.5, 1000, 2000)).failure
    assert failure is not None
    assert "has spent $0.0125 at AWS prices and 61.5 s, and 1,000 of 2,000 tasks have run." in failure.message
    assert failure.attributes == {"cost_usd": 0.0125, "seconds": 61.5, "tasks_run": 1000, "tasks": 2000}


def test_a_task_that_met_the_time_limit_twice_is_not_tried_as_often_as_others() -> None:
    why = "the function's time limit (Task timed out after 900.00 seconds)"
    once, twice = (dataclasses.replace(due("1", n + 1, 3, current=7, deaths=n), why=why, key="x") for n in (1, 2))
    assert judge(Sweep("running", [once]), "f", 5).invoke == ["1"]
    failure = judge(Sweep("running", [twice]), "f", 5).failure
    assert failure is not None
    assert "task 'x' was lost: the task ended 2 executors, the last one with: the function's time" in failure.message
    assert "Cut the task into smaller ones, or raise the function's time limit." in failure.message
    assert judge(Sweep("running", [once]), "f", 1).failure is not None
    assert judge(Sweep("running", [dataclasses.replace(twice, why="signal: killed")]), "f", 5).failure is None


def test_an_ended_job_is_forgotten_after_its_time() -> None:
    assert not forgotten(INFO, 2060.0, 0.0, 60.0)
    assert forgotten(INFO, 2060.5, 0.0, 60.0)
    assert not forgotten(INFO, 2060.5, 2001.0, 60.0)
    assert forgotten(INFO, 2061.5, 2001.0, 60.0)


def test_a_half_written_job_is_forgotten_and_a_running_one_never() -> None:
    half = dataclasses.replace(INFO, state="loading", ended=0.0)
    assert not forgotten(half, 1059.0, 0.0, 60.0)
    assert forgotten(half, 1061.0, 0.0, 60.0)
    assert not forgotten(dataclasses.replace(INFO, state="running", ended=0.0), 1e9, 0.0, 60.0)


def test_values_that_would_vanish_while_they_may_still_be_wanted_are_expiring() -> None:
    assert not expiring(INFO, 6299.0, 3600.0)
    assert expiring(INFO, 6301.0, 3600.0)
    assert not expiring(dataclasses.replace(INFO, state="failed"), 6301.0, 3600.0)
