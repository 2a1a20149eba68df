"""What a watcher of a job is told, whatever happens between the scheduler's looks at the metadata store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from wukong.mds.counters import Counters
from wukong.mds.store import Event, JobInfo, Mds
from wukong.rpc.v1 import event_pb2, job_pb2
from wukong_scheduler import messages
from wukong_scheduler.announcements import Announcements
from wukong_scheduler.reading import Reading
from wukong_scheduler.watch import watch

LOG = Event("1-0", "log", "printed\n", task=0, stream="stdout", key="x")
DONE = Event("2-0", "state", "done")
AGAIN = Event("3-0", "state", "running")
DONE_AGAIN = Event("4-0", "state", "done")


class Store:
    """A job's state and events; what `between` does happens once, after a look at the one that `after` names."""

    def __init__(
        self, state: str, *events: Event, between: Callable[[Store], None] = lambda _: None, after: str = "job"
    ) -> None:
        self.state = state
        self.entries = list(events)
        self.between = between
        self.after = after
        self.looks = 0

    def job(self, job: str) -> JobInfo:
        found = info(self.state)
        self.looks += 1
        self._looked("job")
        return found

    def events(self, job: str, after: str, count: int) -> list[Event]:
        found = [entry for entry in self.entries if entry.sequence > after]
        self._looked("events")
        return found

    def end(self, *events: Event) -> None:
        self.state = "done"
        self.entries += events

    def _looked(self, at: str) -> None:
        if at == self.after:
            between, self.between = self.between, lambda _: None
            between(self)


class Results:
    def fill(self, message: job_pb2.Job, name: str, known: JobInfo) -> None:
        message.state = messages.state(known.state)


def info(state: str) -> JobInfo:
    plain: dict[str, Any] = dict.fromkeys(JobInfo.__dataclass_fields__)
    return replace(JobInfo(**plain), state=state, tasks=1, live_records=0, counters=Counters())


def told(store: Store, after: str = "", most: int = 10) -> list[event_pb2.JobEvent]:
    async def follow() -> list[event_pb2.JobEvent]:
        announcements = Announcements("127.0.0.1:1", "")
        events = watch("j", after, cast("Mds", store), cast("Reading", Results()), announcements)
        found = []
        async with asyncio.timeout(20):
            async for event in events:
                found.append(event)
                if len(found) == most:
                    break
        return found

    return asyncio.run(follow())


@pytest.mark.parametrize("after", ["job", "events"])
def test_what_was_printed_just_before_the_end_is_told(after: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wukong_scheduler.watch.PROGRESS_SECONDS", 0.01)
    found = told(Store("running", between=lambda store: store.end(LOG, DONE), after=after))
    found = [event for event in found if not event.HasField("progress")]
    assert [event.WhichOneof("event") for event in found] == ["log", "state"]
    assert found[-1].state.job.state == job_pb2.JOB_STATE_DONE
    assert found[-1].sequence == "2-0"


def test_a_job_that_has_ended_is_told_in_one_look() -> None:
    store = Store("done", LOG, DONE)
    assert len(told(store)) == 2
    assert store.looks == 1


def test_who_has_seen_the_last_event_is_told_the_end_again() -> None:
    (end,) = told(Store("done", LOG, DONE), after="2-0")
    assert end.state.job.state == job_pb2.JOB_STATE_DONE


def test_events_after_the_last_state_do_not_hold_up_the_end() -> None:
    store = Store("done", DONE, replace(LOG, sequence="5-0"))
    found = told(store)
    assert [event.WhichOneof("event") for event in found] == ["log", "state"]
    assert store.looks == 2


def test_a_former_end_of_a_job_that_runs_again_is_not_told() -> None:
    store = Store("running", LOG, DONE, AGAIN)
    states = [event.state.state for event in told(store, most=3) if event.HasField("state")]
    assert states == [job_pb2.JOB_STATE_RUNNING]
    store = Store("running", LOG, DONE, AGAIN, between=lambda known: known.end(DONE_AGAIN))
    assert [event.sequence for event in told(store)] == ["1-0", "3-0", "4-0"]
