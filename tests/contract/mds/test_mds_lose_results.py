"""Results that are lost after they were committed: the job runs again for them, each once, and for nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from wukong.mds.failure import Failure
from wukong.mds.store import Arrival, Status

if TYPE_CHECKING:
    from tests.contract.mds.conftest import Holder, Store

SEVEN, EIGHT = b"M" + b"seven" * 20, b"M" + b"eight" * 20


def finish(store: Store, **fields: Any) -> Holder:
    """A job with two results is done, and one of its records has not ended."""
    store.submit([0], [3], sinks=2, **fields)
    store.holder("1").sync(Arrival(4, 2, [(0, b"x")]))
    holder = store.holder("0")
    assert holder.sync(results=[(7, SEVEN), (8, EIGHT)], end=True).ended
    assert store.info().state == "done"
    return holder


def test_a_job_that_is_done_runs_again_for_what_is_lost(store: Store) -> None:
    finish(store)
    assert store.mds.lose_results("job", [[(7, SEVEN)]], 60) == ["lost.1"]
    info = store.info()
    assert (info.state, info.sinks_left, info.live_records, info.ended) == ("running", 1, 1, 0)
    assert info.counters.invocations == 3
    assert store.mds.results("job", [7, 8]) == [None, EIGHT]
    begun = store.holder("lost.1").begun
    assert (begun.restores, begun.entries, begun.inputs, begun.begins) == (True, [7], [(7, SEVEN)], 1)
    assert (begun.claims, begun.given, begun.depth, begun.generation) == ([], [], 0, 0)


def test_it_is_done_again_with_the_new_result_and_says_so(store: Store) -> None:
    finish(store)
    store.mds.lose_results("job", [[(7, SEVEN)]], 60)
    assert store.holder("lost.1").sync(results=[(7, b"M7"), (8, b"M8")], end=True).ended
    info = store.info()
    assert (info.state, info.sinks_left, info.live_records) == ("done", 0, 0)
    assert info.ended > 0
    assert store.mds.results("job", [7, 8]) == [b"M7", EIGHT]
    states = [event.text for event in store.mds.events("job") if event.kind == "state"]
    assert states == ["running", "done", "running", "done"]


def test_what_others_had_left_to_do_is_not_wanted_any_more(store: Store) -> None:
    finish(store)
    late = store.stranger("1", "token-1")
    store.mds.lose_results("job", [[(7, SEVEN)]], 60)
    assert late.begin().status is Status.GONE
    assert late.sync(results=[(7, b"late")]).status is Status.GONE
    assert store.mds.results("job", [7]) == [None]
    # What is marked at a fan-in is still there, to compute from.
    assert store.mds.marks("job", 0, 4, [0]) == [b"x"]


def test_whoever_says_so_again_or_of_another_value_changes_nothing(store: Store) -> None:
    finish(store)
    assert store.mds.lose_results("job", [[(7, EIGHT), (9, SEVEN)], []], 60) == []
    assert store.info().state == "done"
    assert store.mds.lose_results("job", [[(7, SEVEN)]], 60) == ["lost.1"]
    assert store.mds.lose_results("job", [[(7, SEVEN)]], 60) == []
    holder = store.holder("lost.1")
    assert holder.sync(results=[(7, b"M7")], end=True).ended
    assert store.mds.lose_results("job", [[(7, SEVEN)]], 60) == []
    info = store.info()
    assert (info.state, info.sinks_left, info.live_records) == ("done", 0, 0)
    # And the next one is lost like the first.
    assert store.mds.lose_results("job", [[(7, b"M7")]], 60) == ["lost.2"]


def test_each_group_has_a_record_of_its_own_and_each_result_one(store: Store) -> None:
    finish(store)
    groups = [[(7, SEVEN), (7, SEVEN)], [(9, b"?")], [(7, SEVEN), (8, EIGHT)]]
    assert store.mds.lose_results("job", groups, 60) == ["lost.1", "lost.2"]
    info = store.info()
    assert (info.sinks_left, info.live_records) == (2, 2)
    assert store.holder("lost.1").begun.inputs == [(7, SEVEN)]
    assert store.holder("lost.2").begun.inputs == [(8, EIGHT)]


def test_a_result_that_is_lost_while_the_job_runs_leaves_other_records_alone(store: Store) -> None:
    store.submit([0], [3], sinks=2)
    holder, other = store.holder("0"), store.holder("1")
    holder.sync(results=[(7, SEVEN)])
    assert store.mds.lose_results("job", [[(7, SEVEN)]], 60) == ["lost.1"]
    assert store.info().sinks_left == 2
    assert other.sync(results=[(8, EIGHT)], end=True).ended
    assert holder.sync(end=True).ended
    assert store.info().state == "running"
    store.holder("lost.1").sync(results=[(7, b"M7")])
    assert store.info().state == "done"
    states = [event.text for event in store.mds.events("job") if event.kind == "state"]
    assert states == ["running", "done"]


def test_what_it_gives_away_are_results_that_were_lost_too(store: Store) -> None:
    finish(store)
    store.mds.lose_results("job", [[(7, SEVEN), (8, EIGHT)]], 60)
    holder = store.holder("lost.1")
    assert holder.offload("x", [8]) == (Status.OK, 1)
    assert store.holder("x.0").begun.restores
    assert store.stranger("lost.1", "token-lost.1").begin().given == [8]


def test_the_sweep_finds_it_where_nobody_begins(store: Store) -> None:
    finish(store)
    store.mds.lose_results("job", [[(7, SEVEN)]], 60)
    assert list(store.mds.sweep("job", 1.0).due) == []
    store.mds.lose_results("job", [[(8, EIGHT)]], 0.02)
    (due,) = store.eventually(lambda: store.mds.sweep("job", 60.0).due)
    assert (due.record, due.begins, due.invokes) == ("lost.2", 0, 2)


@pytest.mark.parametrize("end", ["cancelled", "failed", "gone", "unknown"])
def test_a_job_that_ended_otherwise_stays_so(store: Store, end: str) -> None:
    if end == "unknown":
        assert store.mds.lose_results("job", [[(7, SEVEN)]], 60) == []
        assert store.names() == []
        return
    finish(store)
    if end == "gone":
        store.mds.purge("job", 60)
    else:
        store.mds.lose_results("job", [[(7, SEVEN)]], 60)
        store.mds.close("job", end, Failure("JobCancelled", "why"))
    before = store.of_job()
    assert store.mds.lose_results("job", [[(8, EIGHT)]], 60) == []
    assert store.of_job() == before
    assert store.info().state == end


def test_a_purge_leaves_nothing_of_a_job_that_runs_again(store: Store) -> None:
    finish(store)
    store.mds.lose_results("job", [[(7, SEVEN)]], 60)
    store.holder("lost.1")
    store.mds.purge("job", 60)
    assert store.of_job() == ["m"]


def test_a_job_that_was_done_in_time_has_time_again(store: Store) -> None:
    finish(store, seconds=1.0)
    deadline = store.info().deadline
    store.mds.lose_results("job", [[(7, SEVEN)]], 60)
    info = store.info()
    assert info.deadline >= deadline + 400
    assert info.expires > info.deadline + 400
    assert dict(store.mds.jobs())["job"] == int(info.deadline)
    assert store.holder("lost.1").begun.seconds_left > 400


def test_a_long_deadline_stays(store: Store) -> None:
    finish(store, seconds=5000.0)
    deadline = store.info().deadline
    store.mds.lose_results("job", [[(7, SEVEN)]], 60)
    assert store.info().deadline >= deadline
