"""Submissions that a crash cut short, and submissions that race."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

import pytest

from wukong.kvs.ring import Node, Ring
from wukong.mds.failure import Failure
from wukong.mds.records import Record
from wukong.mds.store import JobSpec, Status

if TYPE_CHECKING:
    from tests.contract.mds.conftest import Store

T = TypeVar("T")
MIB = 1024 * 1024
RING = Ring(3, (Node("one", "127.0.0.1:1"),))
SPEC = JobSpec(
    tasks=4,
    sinks=1,
    pages=3,
    first_tasks=[0, 1, 2],
    parallelism=2,
    ring=RING,
    seconds=60,
    inputs=["c0ffee"],
    targets=b"T",
)
PAGES = [b"a" * (8 * MIB), b"b" * (8 * MIB), b"c"]
RECORDS = [Record("0", [0]), Record("1", [1])]


class CrashError(Exception):
    """The scheduler dies."""


class Torn(list[T]):
    """A list whose reader dies at the last item."""

    def __iter__(self) -> Iterator[T]:
        yield from list(super().__iter__())[:-1]
        raise CrashError


def crash(store: Store, where: str) -> None:
    pages = Torn(PAGES) if where == "pages" else PAGES
    records = Torn(RECORDS) if where == "records" else RECORDS
    with pytest.raises(CrashError):
        store.mds.submit("job", SPEC, pages, records, 60)


@pytest.fixture(params=["pages", "records"])
def crashed(store: Store, request: pytest.FixtureRequest) -> Store:
    crash(store, request.param)
    return store


def test_a_half_written_job_is_loading_and_nobody_can_begin(crashed: Store) -> None:
    info = crashed.info()
    assert (info.state, info.live_records, info.sinks, info.sinks_left) == ("loading", 0, 1, 1)
    assert crashed.stranger("0").begin([0]).status is Status.STOP
    assert crashed.mds.events("job") == []
    assert crashed.mds.sweep("job", 1.0).state == "loading"
    assert not {"look", "r:0", "r:1", "e"}.intersection(crashed.of_job())


def test_a_half_written_job_is_listed_so_that_it_can_be_forgotten(crashed: Store) -> None:
    assert [name for name, _ in crashed.mds.jobs()] == ["job"]


def test_submitting_again_completes_a_half_written_job(crashed: Store) -> None:
    assert crashed.mds.submit("job", SPEC, PAGES, RECORDS, 60) == "running"
    assert crashed.info().live_records == 2
    assert crashed.mds.pages("job", [0, 1, 2]) == PAGES
    assert crashed.of_job() == ["e", "first", "i", "look", "m", "p:0", "p:1", "p:2", "r:0", "r:1", "t"]
    assert [event.text for event in crashed.mds.events("job")] == ["running"]


def test_a_half_written_job_can_be_cancelled(crashed: Store) -> None:
    failure = Failure("JobCancelled", "enough")
    assert crashed.mds.close("job", "cancelled", failure) == "cancelled"
    assert crashed.info().failure == failure
    assert [event.text for event in crashed.mds.events("job")] == ["cancelled"]
    assert crashed.mds.submit("job", SPEC, PAGES, RECORDS, 60) == "cancelled"
    assert crashed.info().live_records == 0


def test_a_half_written_job_can_be_purged(crashed: Store) -> None:
    crashed.mds.purge("job", 60)
    assert crashed.of_job() == ["m"]
    assert crashed.mds.jobs() == []
    assert crashed.mds.submit("job", SPEC, PAGES, RECORDS, 60) == "gone"
    assert crashed.of_job() == ["m"]


def test_a_submission_that_was_overtaken_does_not_set_the_job_back(store: Store) -> None:
    """Two schedulers submit one job; the slower one comes to its end when the job has run."""

    class Overtaken(list[bytes]):
        def __iter__(self) -> Iterator[bytes]:
            assert store.mds.submit("job", SPEC, PAGES, RECORDS, 60) == "running"
            store.holder("0").sync(end=True)
            store.holder("1").sync(results=[(3, b"I3")])
            yield from super().__iter__()

    assert store.mds.submit("job", SPEC, Overtaken(PAGES), RECORDS, 60) == "done"
    info = store.info()
    assert (info.state, info.sinks_left, info.live_records) == ("done", 0, 1)
    assert [event.text for event in store.mds.events("job")] == ["running", "done"]


def test_a_submission_that_was_cancelled_meanwhile_does_not_start(store: Store) -> None:
    class Cancelled(list[bytes]):
        def __iter__(self) -> Iterator[bytes]:
            assert store.mds.close("job", "cancelled") == "cancelled"
            yield from super().__iter__()

    assert store.mds.submit("job", SPEC, Cancelled(PAGES), RECORDS, 60) == "cancelled"
    assert store.info().live_records == 0
    assert not {"look", "r:0", "r:1"}.intersection(store.of_job())


def test_a_submission_that_was_purged_meanwhile_leaves_only_the_tombstone(store: Store) -> None:
    class Purged(list[bytes]):
        def __iter__(self) -> Iterator[bytes]:
            store.mds.purge("job", 60)
            yield from super().__iter__()

    assert store.mds.submit("job", SPEC, Purged(PAGES), RECORDS, 60) == "gone"
    assert store.of_job() == ["m"]
    assert store.mds.jobs() == []


def test_many_submissions_at_once_make_one_job(store: Store) -> None:
    states: list[str] = []

    def submit() -> None:
        states.append(store.submit([0], [1], pages=[b"a", b"b"]))

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states == ["running"] * 8
    assert store.info().counters.invocations == 2
    assert [event.text for event in store.mds.events("job")] == ["running"]
