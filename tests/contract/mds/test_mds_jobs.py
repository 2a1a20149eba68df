"""A job's life in the metadata store: submitted, ended, purged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wukong.errors import ClusterUnavailable
from wukong.mds.counters import Counters
from wukong.mds.failure import Failure
from wukong.mds.records import Record
from wukong.mds.store import Arrival, JobSpec, LogText, Status

if TYPE_CHECKING:
    from tests.contract.mds.conftest import Store

ENDS = ["done", "failed", "cancelled"]


def end(store: Store, state: str) -> None:
    if state == "done":
        store.holder().sync(results=[(1, b"N")])
    else:
        store.mds.close("job", state, Failure("JobCancelled", "enough") if state == "failed" else None)


def test_a_submitted_job_runs_and_says_what_it_is(store: Store) -> None:
    assert (
        store.submit([0, 1], [2], sinks=2, parallelism=5, seconds=100, json_results=True, policy="stateless")
        == "running"
    )
    info = store.info()
    assert (info.state, info.generation, info.tasks, info.sinks, info.sinks_left) == ("running", 0, 100, 2, 2)
    assert (info.parallelism, info.ring_version, info.live_records) == (5, 3, 2)
    assert info.json_results
    assert info.policy == "stateless"
    assert info.deadline - info.created == pytest.approx(100, abs=0.01)
    assert info.ended == 0
    assert info.failure is None
    assert info.counters == Counters(invocations=2)


def test_a_job_needs_its_keys_and_no_others(store: Store) -> None:
    store.submit([0], [1], pages=[b"a", b"b", b"c"])
    assert store.of_job() == ["e", "first", "look", "m", "p:0", "p:1", "p:2", "r:0", "r:1"]
    assert [key for key in store.names() if not key.startswith("w:job:")] == ["w:jobs", "w:ring:3"]


def test_pages_come_back_in_the_order_asked(store: Store) -> None:
    store.submit(pages=[b"first", b"second", "dritte Seite: ä \u2603".encode(), b""])
    assert store.mds.pages("job", [2, 0, 3, 1]) == ["dritte Seite: ä \u2603".encode(), b"first", b"", b"second"]
    assert store.mds.pages("job", []) == []


def test_targets_are_kept_as_they_were_given(store: Store) -> None:
    store.submit(targets="ä\u2603\x00".encode())
    store.submit(job="other")
    assert store.mds.targets("job") == "ä\u2603\x00".encode()
    assert store.mds.targets("other") == b""
    assert store.mds.targets("unknown") == b""
    store.mds.close("job", "cancelled")
    assert store.mds.targets("job") == "ä\u2603\x00".encode()
    store.mds.purge("job", 60)
    assert store.mds.targets("job") == b""
    assert store.of_job() == ["m"]


def test_large_pages_come_back_whole(store: Store) -> None:
    pages = [bytes([i]) * (3 * 1024 * 1024) for i in range(5)]
    store.submit(pages=pages)
    assert store.mds.pages("job", range(5)) == pages


def test_a_page_that_is_not_there_is_named(store: Store) -> None:
    store.submit(pages=[b"a", b"b"])
    with pytest.raises(ClusterUnavailable, match="page 2 of job job"):
        store.mds.pages("job", [0, 2])


def test_a_job_of_many_pages_and_records(store: Store) -> None:
    entries = [range(100 * i, 100 * i + 100) for i in range(500)]
    store.submit(*entries, pages=[b"%d" % i for i in range(2000)], parallelism=500)
    assert store.info().live_records == 500
    begun = store.holder("499").begun
    assert list(begun.entries) == list(range(49_900, 50_000))
    assert list(begun.first_tasks) == [64 * i for i in range(2000)]


def test_submitting_again_changes_nothing(store: Store) -> None:
    store.submit([0], sinks=2)
    store.holder().sync(results=[(1, b"I1")])
    before, events = store.info(), store.mds.events("job")
    assert store.submit([7], sinks=9, pages=[b"other"]) == "running"
    assert store.info() == before
    assert store.mds.pages("job", [0]) == [b"page 0"]
    assert store.mds.events("job") == events
    assert store.of_job() == ["e", "first", "look", "m", "p:0", "r:0", "s"]


@pytest.mark.parametrize("state", ENDS)
def test_a_job_that_ended_is_not_started_again(store: Store, state: str) -> None:
    store.submit()
    end(store, state)
    info, keys = store.info(), store.names()
    assert store.submit([5], pages=[b"x", b"y"]) == state
    assert store.info() == info
    assert store.names() == keys


def test_a_purged_job_is_not_started_again(store: Store) -> None:
    store.submit()
    store.mds.purge("job", 60)
    assert store.submit(inputs=["c0ffee"]) == "gone"
    assert store.of_job() == ["m"]
    assert store.mds.jobs() == []


def test_jobs_are_listed_with_their_deadlines_until_purged(store: Store) -> None:
    store.submit(job="later", seconds=500)
    store.submit(job="sooner", seconds=50)
    assert [name for name, _ in store.mds.jobs()] == ["sooner", "later"]
    for name, deadline in store.mds.jobs():
        assert deadline == pytest.approx(store.info(name).deadline, abs=1.0)
    store.mds.close("sooner", "cancelled")
    assert [name for name, _ in store.mds.jobs()] == ["sooner", "later"]
    store.mds.purge("sooner", 60)
    assert [name for name, _ in store.mds.jobs()] == ["later"]


def test_an_unknown_job_is_none_gone_or_empty_and_nothing_is_written_for_it(store: Store) -> None:
    mds, nobody = store.mds, store.stranger()
    assert mds.job("job") is None
    assert mds.jobs() == []
    assert mds.events("job") == []
    assert mds.results("job", [1, 2]) == [None, None]
    assert mds.marks("job", 0, 5, [0, 1]) == [None, None]
    assert mds.sweep("job", 1.0).state == "gone"
    assert mds.close("job", "cancelled", Failure("JobCancelled", "why")) == "gone"
    mds.purge("job", 60)
    assert mds.drop_inputs("job") == []
    with pytest.raises(ClusterUnavailable):
        mds.pages("job", [0])
    assert nobody.begin([0]).status is Status.STOP
    assert nobody.sync(Arrival(5, 2, [(0, b"N")]), results=[(1, b"N")], end=True).status is Status.STOP
    assert nobody.renew() is Status.STOP
    assert nobody.offload("x", [1]) == (Status.STOP, 0)
    assert nobody.fail() is Status.STOP
    assert store.names() == []


@pytest.mark.parametrize("state", [*ENDS, "gone"])
def test_once_a_job_is_over_nothing_is_written_for_it(store: Store, state: str) -> None:
    store.submit([0], [1])
    holder = store.holder("1")
    end(store, state if state != "gone" else "cancelled")
    if state == "gone":
        store.mds.purge("job", 60)
    before, keys, events = store.info(), store.names(), store.mds.events("job")
    log = LogText(1, "stdout", "late")
    assert holder.begin().status is Status.STOP
    assert holder.sync(Arrival(5, 2, [(0, b"N")]), results=[(9, b"N")], logs=[log], end=True).status is Status.STOP
    assert holder.renew() is Status.STOP
    assert holder.offload("x", [1]) == (Status.STOP, 0)
    assert holder.fail() is Status.STOP
    assert store.mds.close("job", "failed", Failure("TaskError", "late")) == state
    assert store.mds.sweep("job", 1.0).state == state
    assert store.mds.results("job", [9]) == [None]
    assert (store.info(), store.names(), store.mds.events("job")) == (before, keys, events)


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_the_first_end_counts(store: Store, state: str) -> None:
    store.submit()
    failure = Failure("TaskError", "division by zero", 7, "('x', 0)", 2, "ZeroDivisionError", "…", b"\x80\x00")
    assert store.mds.close("job", state, failure) == state
    assert store.mds.close("job", "cancelled" if state == "failed" else "failed") == state
    assert store.info().state == state
    assert store.info().failure == failure
    assert store.info().ended >= store.info().created
    assert [event.text for event in store.mds.events("job")] == ["running", state]


def test_a_failure_of_a_task_ends_the_job_once(store: Store) -> None:
    store.submit([0], [1])
    first, second = store.holder("0"), store.holder("1")
    assert first.fail("first") is Status.OK
    assert second.fail("second") is Status.STOP
    assert store.mds.close("job", "cancelled") == "failed"
    failure = store.info().failure
    assert failure is not None
    assert failure.message == "first"
    assert [event.text for event in store.mds.events("job")] == ["running", "failed"]


def test_purge_leaves_only_the_tombstone(store: Store) -> None:
    store.submit([0], [1], pages=[b"a", b"b"], sinks=2, inputs=["c0ffee"], targets=b"two of them")
    assert store.mds.targets("job") == b"two of them"
    holder = store.holder()
    holder.sync(Arrival(5, 3, [(0, b"I1")]), Arrival(6, 1, [(0, b"I1")]), results=[(9, b"N")])
    holder.offload("x", [3], [4])
    assert "f:0:5" in store.of_job()
    store.mds.purge("job", 60)
    assert store.of_job() == ["m"]
    assert store.names() == ["w:job:m", "w:ring:3"]
    assert store.info().state == "gone"
    assert store.mds.targets("job") == b""
    store.mds.purge("job", 60)
    assert store.names() == ["w:job:m", "w:ring:3"]


def test_a_job_that_is_done_can_live_longer(store: Store) -> None:
    store.submit([0], sinks=1, seconds=0.01, pages=[b"a", b"b"], targets=b"it", inputs=["c0ffee"])
    assert not store.mds.prolong("job", 5000)  # nobody knows yet whether it will be done
    store.holder().sync(results=[(0, b"I1")], end=True)
    before = store.info().expires
    assert not store.mds.prolong("job", 100)
    assert store.info().expires == before
    assert store.mds.prolong("job", 5000)
    assert store.info().expires == pytest.approx(before + 4100, abs=3)
    assert store.mds.results("job", [0]) == [b"I1"]
    assert not store.mds.prolong("unknown", 5000)


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_job_without_results_does_not_live_longer(store: Store, state: str) -> None:
    store.submit()
    store.mds.close("job", state)
    assert not store.mds.prolong("job", 5000)


def test_the_tombstone_goes_in_time_and_a_second_purge_does_not_keep_it(store: Store) -> None:
    store.submit(sinks=2)
    store.mds.purge("job", 1)
    store.mds.purge("job", 1000)
    store.eventually(lambda: store.mds.job("job") is None)
    assert store.names() == ["w:ring:3"]
    assert store.submit() == "running"


def test_purging_one_job_leaves_the_others(store: Store) -> None:
    for job in ("job", "job2", "jo"):
        store.submit([0], job=job)
        store.holder(job=job).sync(Arrival(5, 2, [(0, job.encode())]), results=[(9, job.encode())])
    keys = {job: store.of_job(job) for job in ("job2", "jo")}
    store.mds.purge("job", 60)
    assert {job: store.of_job(job) for job in ("job2", "jo")} == keys


def test_jobs_do_not_see_each_other(store: Store) -> None:
    for job in ("one", "two"):
        store.submit([0], job=job)
    one, two = store.holder(job="one"), store.holder(job="two")
    assert one.verdicts(Arrival(5, 2, [(0, b"1")])) == "N"
    assert two.verdicts(Arrival(5, 2, [(1, b"2")])) == "N"
    assert one.verdicts(Arrival(5, 2, [(1, b"1")])) == "C"
    one.sync(results=[(9, b"1")])
    assert store.info("one").state == "done"
    assert store.info("two").state == "running"
    assert store.mds.results("two", [9]) == [None]
    assert store.mds.marks("two", 0, 5, [0, 1]) == [None, b"2"]
    assert [event.text for event in store.mds.events("two")] == ["running"]
    assert two.renew() is Status.OK


def test_a_job_without_records_stalls_at_once(store: Store) -> None:
    spec = JobSpec(tasks=1, sinks=1, pages=0, first_tasks=[], parallelism=1, ring=_ring(store), seconds=60)
    assert store.mds.submit("job", spec, [], [], 1.0) == "running"
    assert store.mds.sweep("job", 1.0).stalled


def test_records_keep_their_ids_and_entries(store: Store) -> None:
    spec = JobSpec(tasks=9, sinks=1, pages=1, first_tasks=[0], parallelism=4, ring=_ring(store), seconds=60)
    records = [Record("a-b_c", [3, 1, 2]), Record("z", [])]
    store.mds.submit("job", spec, [b"p"], records, 60)
    assert list(store.holder("a-b_c").begun.entries) == [3, 1, 2]
    assert list(store.holder("z").begun.entries) == []


def _ring(store: Store):  # type: ignore[no-untyped-def]
    store.submit(job="other")
    ring = store.mds.ring(3)
    assert ring is not None
    return ring
