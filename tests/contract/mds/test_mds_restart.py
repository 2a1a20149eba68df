"""Starting a stalled job again: its first records, a new generation, and nothing of the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wukong.mds.store import Arrival, Status

if TYPE_CHECKING:
    from tests.contract.mds.conftest import Store


def stall(store: Store) -> None:
    """All records end, and one of two sinks has no result."""
    store.submit([0, 1, 5], [3], sinks=2)
    first = store.holder("0")
    assert first.verdicts(Arrival(9, 2, [(0, b"old")])) == "N"
    assert first.sync(results=[(7, b"seven")], end=True).ended
    assert store.holder("1").sync(end=True).ended
    assert store.mds.sweep("job", 1.0).stalled


def test_the_first_records_begin_again_in_a_new_generation(store: Store) -> None:
    stall(store)
    assert sorted(store.mds.restart("job", 0, 60) or ()) == ["0", "1"]
    sweep = store.mds.sweep("job", 1.0)
    assert (sweep.stalled, sweep.generation, list(sweep.due)) == (False, 1, [])
    info = store.info()
    assert (info.state, info.generation, info.live_records, info.sinks_left) == ("running", 1, 2, 1)
    assert info.counters.invocations == 4
    begun = store.holder("0", token="again").begun
    assert (begun.generation, begun.begins, begun.entries) == (1, 1, [0, 1, 5])
    assert (begun.claims, begun.given, begun.inputs) == ([], [], [])


def test_fan_ins_start_empty_and_results_stay(store: Store) -> None:
    stall(store)
    store.mds.restart("job", 0, 60)
    holder = store.holder("0", token="again")
    assert store.mds.marks("job", 1, 9, [0]) == [None]
    assert holder.verdicts(Arrival(9, 2, [(1, b"new")])) == "N"
    assert holder.verdicts(Arrival(9, 2, [(0, b"new")])) == "C"
    assert holder.sync(results=[(7, b"other")]).status is Status.OK
    assert store.mds.results("job", [7, 8]) == [b"seven", None]
    assert holder.sync(results=[(8, b"eight")]).status is Status.OK
    assert store.info().state == "done"
    store.mds.purge("job", 60)
    assert store.of_job() == ["m"]


def test_holders_of_the_old_generation_are_refused(store: Store) -> None:
    store.submit([0], [1])
    old = store.holder("0")
    other = store.holder("1")
    assert old.sync(end=True).ended
    assert other.sync(end=True).ended
    store.mds.restart("job", 0, 60)
    assert old.sync(results=[(7, b"late")]).status is Status.STALE
    assert old.offload("x", [5])[0] is Status.STALE
    store.holder("1", token=other.token)  # the same token, in both generations
    assert other.renew() is Status.STALE
    assert store.mds.results("job", [7]) == [None]


def test_only_a_job_that_is_stalled_in_that_generation_starts_again(store: Store) -> None:
    store.submit([0], [1])
    assert store.mds.restart("job", 0, 60) == []
    assert store.mds.restart("nothing", 0, 60) == []
    assert store.info().generation == 0
    store.holder("0").sync(end=True)
    store.holder("1").sync(end=True)
    assert store.mds.restart("job", 1, 60) == []
    assert len(store.mds.restart("job", 0, 60) or ()) == 2
    assert store.mds.restart("job", 0, 60) == []
    assert store.info().generation == 1
    store.mds.close("job", "cancelled")
    assert store.mds.restart("job", 1, 60) == []


def test_records_that_start_again_are_found_when_nobody_begins_them(store: Store) -> None:
    stall(store)
    store.mds.restart("job", 0, 0.01)
    due = store.eventually(lambda: store.mds.sweep("job", 60).due)
    assert [(item.record, item.begins, item.invokes) for item in due] == [("0", 0, 2), ("1", 0, 2)]
