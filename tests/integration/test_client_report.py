"""The report of real jobs, held against figures that are known; budgets; names of tasks; large uploads."""

from __future__ import annotations

import contextlib
import json
import time
import warnings
from operator import add

import numpy as np
import pytest

from wukong import BudgetExceeded, Client, DeadlineExceeded, InvalidGraph, LargeUploadWarning, LocalCluster
from wukong.client.events import Printed
from wukong.client.report import Report

#: Of `LocalCluster`, whose default this is.
MEMORY_MB = 2048

#: AWS Lambda Pricing, x86_64 in us-east-1: dollars for a GB-second, and for an invocation.
GB_SECOND, REQUEST = 0.0000166667, 0.20 / 1_000_000


def nap(seconds: float, *after: object) -> float:
    time.sleep(seconds)
    return seconds


@pytest.fixture(scope="module")
def report(cluster: LocalCluster) -> Report:
    """Of a job with naps of known lengths, one of them behind a large value, in both environments."""
    graph = {
        **{("nap", n): (nap, 0.1) for n in range(4)},
        "long nap": (nap, 0.3),
        "large": (np.ones, 1_000_000),
        "after": (lambda value, *naps: float(value.sum()), "large", "long nap", *(("nap", n) for n in range(4))),
    }
    with contextlib.closing(Client(cluster)) as client:
        assert client.get(graph, "after") == 1_000_000
        return client.report()


def test_a_long_task_is_the_slowest(report: Report) -> None:
    assert report.slowest[0].task == "long nap"
    assert 0.3 <= report.slowest[0].seconds < 3
    assert {slow.task for slow in report.slowest[1:]} == {f"('nap', {n})" for n in range(4)}
    assert all(0.1 <= slow.seconds <= report.slowest[0].seconds for slow in report.slowest[1:])


def test_the_time_of_executors_is_divided_without_a_rest(report: Report) -> None:
    billed = report.gb_seconds / (MEMORY_MB / 1024)
    assert report.time.total == pytest.approx(billed, rel=0.05)
    assert billed >= report.time.total
    assert report.time.running >= 0.7
    assert all(seconds >= 0 for _, seconds in report.time.parts())
    assert report.time.starting > 0
    assert report.time.reporting > 0


def test_gb_seconds_lie_between_what_is_known(report: Report) -> None:
    # All naps at least; at most each executor for the whole of the job.
    assert report.executors >= 2
    assert 0.7 * MEMORY_MB / 1024 <= report.gb_seconds <= report.executors * (report.wall + 0.1) * MEMORY_MB / 1024


def test_the_cost_is_what_aws_documents(report: Report) -> None:
    assert report.cost_usd == pytest.approx(report.gb_seconds * GB_SECOND + report.invocations * REQUEST)


def test_memory_lies_between_what_the_value_needs_and_what_there_is(report: Report) -> None:
    assert 8_000_000 < report.peak_memory < MEMORY_MB * 1024 * 1024


def test_every_executor_was_told_what_to_do_and_told_that_it_had_ended(client: Client) -> None:
    client.get({"a": (add, 1, 1)}, "a")
    report = client.report()
    assert report.round_trips >= 2 * report.executors == 2
    assert report.bytes_read > 100  # its page


def test_nothing_ran_again(report: Report) -> None:
    assert (report.tasks, report.tasks_run, report.tasks_run_again) == (7, 7, 0)


def test_it_is_the_same_for_programs(report: Report) -> None:
    assert json.loads(json.dumps(report.to_dict()))["slowest"][0]["task"] == "long nap"
    assert "long nap" in str(report)
    assert "long nap" in report._repr_html_()


def test_a_short_peak_of_memory_is_seen_and_is_not_the_next_jobs(client: Client) -> None:
    client.get({"a": (lambda n: float(np.ones(n)[-1]), 50_000_000)}, "a")
    assert client.report().peak_memory > 400_000_000
    client.get({"a": (nap, 0.01)}, "a")
    assert client.report().peak_memory < 400_000_000


def test_reading_and_writing_are_told_apart_from_running(client: Client) -> None:
    value = np.random.default_rng(1).random(4_000_000)
    assert client.get({"a": value, "b": (np.negative, "a")}, "b")[0] == -value[0]
    report = client.report()
    assert report.bytes_read > value.nbytes
    assert report.bytes_written > value.nbytes
    assert report.time.reading > 0.001
    assert report.time.writing > 0.001
    assert [slow.task for slow in report.slowest] == ["b"]


# Budgets.


def test_a_job_that_exceeds_its_budget_ends_within_beats(client: Client) -> None:
    # As much as half a second of one environment costs.
    budget = 0.5 * MEMORY_MB / 1024 * GB_SECOND
    job = client.submit_graph({"a": (nap, 60), "b": (nap, 60), "c": (add, "a", "b")}, "c", max_cost_usd=budget)
    with pytest.raises(BudgetExceeded, match=r"above its max_cost_usd of \$0\.0000167") as caught:
        job.result(timeout=20)
    assert caught.value.limit == budget
    assert 0 < caught.value.seconds < 20
    assert (caught.value.tasks_run, caught.value.tasks) == (0, 3)
    assert "with 0 of 3 tasks run" in str(caught.value)
    report = job.report()
    assert budget < caught.value.value <= report.cost_usd
    # A beat of 20 ms is late on a busy machine, and both executors go on for one.
    assert report.cost_usd < 10 * budget
    assert report.tasks_run == 0
    assert client.get({"a": 1}, "a") == 1


def test_a_budget_that_is_enough_changes_nothing(client: Client) -> None:
    assert client.get({"a": (nap, 0.05)}, "a", max_cost_usd=0.01) == 0.05


@pytest.mark.parametrize("budget", [0, -1, float("nan"), float("inf")])
def test_an_impossible_budget_is_refused_at_once(client: Client, budget: float) -> None:
    with pytest.raises(InvalidGraph, match="max_cost_usd"):
        client.get({"a": 1}, "a", max_cost_usd=budget)


def test_a_passed_deadline_says_what_was_spent(client: Client) -> None:
    with pytest.raises(DeadlineExceeded, match=r"has spent \$0\.000.* s, and 1 of 3 tasks have run") as caught:
        client.get({"a": (nap, 0.01), "b": (nap, 60), "c": (add, "a", "b")}, "c", deadline=0.5)
    assert caught.value.cost_usd > 0.3 * MEMORY_MB / 1024 * GB_SECOND
    assert 0.5 < caught.value.seconds < 60
    assert (caught.value.tasks_run, caught.value.tasks) == (1, 3)


# Names.


def test_another_client_sees_the_names_of_tasks(client: Client, cluster: LocalCluster) -> None:
    long = "x" * 1000
    job = client.submit_graph(
        {("say", 1): (print, "one"), long: (print, "two"), "all": (max, [1, 2])}, [("say", 1), long]
    )
    job.wait(20)
    with contextlib.closing(Client(cluster)) as other:
        found = {event.text: event.task for event in other.job(job.id).events() if isinstance(event, Printed)}
        assert found["one\n"] == "('say', 1)"
        assert found["two\n"] == "x" * 199 + "…"
        assert other.job(job.id).logs(long) == "two\n"
        assert other.job(job.id).report().slowest


# Uploads.


def test_a_large_upload_is_warned_about_once(client: Client) -> None:
    value = np.zeros(13_000_000)
    graph = {"table": value, "sum": (np.sum, "table")}
    with pytest.warns(LargeUploadWarning, match=r"holds 104 MB of data.*table \(104 MB\)") as caught:
        assert client.get(graph, "sum") == 0
    assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert client.get(graph, "sum") == 0  # it is there
