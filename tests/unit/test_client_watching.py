import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import grpc
import pytest

from wukong.client import watching
from wukong.client.connection import Connection
from wukong.errors import ClusterUnavailable, UnknownJob
from wukong.rpc.v1 import event_pb2, job_pb2, scheduler_pb2

DONE = job_pb2.Job(job_id="j", state=job_pb2.JOB_STATE_DONE)


class Broken(grpc.RpcError):
    """What gRPC raises when the server goes away."""

    def trailing_metadata(self) -> tuple[()]:
        return ()

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return "connection reset"


class Stream:
    def __init__(self, events: list[event_pb2.JobEvent | Exception]) -> None:
        self._events = events
        self.cancelled = False

    def __iter__(self) -> Iterator[event_pb2.JobEvent]:
        for event in self._events:
            if isinstance(event, Exception):
                raise event
            yield event

    def cancel(self) -> None:
        self.cancelled = True


class Scheduler:
    """Plays one stream per WatchJob, and one answer per GetJob."""

    def __init__(self, streams: list[list[event_pb2.JobEvent | Exception]], jobs: list[Any] = []) -> None:  # noqa: B006
        self.address = "somewhere:1"
        self.scheduler = self
        self.streams = [Stream(events) for events in streams]
        self.played: list[Stream] = []
        self.jobs = list(jobs)
        self.asked: list[str] = []

    def WatchJob(self, request: scheduler_pb2.WatchJobRequest, timeout: float | None) -> Stream:
        self.asked.append(request.after_sequence)
        self.played.append(self.streams.pop(0))
        return self.played[-1]

    def GetJob(self) -> None: ...

    def call(self, method: Any, request: Any) -> job_pb2.Job:
        job = self.jobs.pop(0)
        if isinstance(job, Exception):
            raise job
        return cast("job_pb2.Job", job)


def final(job: job_pb2.Job | None = DONE, sequence: str = "9-0") -> event_pb2.JobEvent:
    return event_pb2.JobEvent(sequence=sequence, state=event_pb2.StateChange(state=job_pb2.JOB_STATE_DONE, job=job))


def running(sequence: str) -> event_pb2.JobEvent:
    return event_pb2.JobEvent(sequence=sequence, state=event_pb2.StateChange(state=job_pb2.JOB_STATE_RUNNING))


def watch(
    scheduler: Scheduler, end: float | None = None, submit: Callable[[], None] | None = None
) -> list[event_pb2.JobEvent]:
    return list(watching.watch(cast("Connection", scheduler), "j", end=end, submit=submit))


def test_the_last_event_tells_the_job() -> None:
    scheduler = Scheduler([[running("1-0"), final()]])
    assert watch(scheduler)[-1].state.job == DONE
    assert scheduler.played[0].cancelled


def test_a_broken_stream_goes_on_after_the_last_event_seen() -> None:
    progress = event_pb2.JobEvent(progress=event_pb2.Progress(tasks_total=2))
    alive = job_pb2.Job(job_id="j", state=job_pb2.JOB_STATE_RUNNING)
    scheduler = Scheduler([[running("3-1"), progress, Broken()], [final()]], [alive])
    assert watch(scheduler)[-1].state.job == DONE
    assert scheduler.asked == ["", "3-1"]


def test_a_job_that_ended_meanwhile_is_not_watched_again() -> None:
    scheduler = Scheduler([[Broken()]], [DONE])
    assert watch(scheduler)[-1].state.job == DONE
    assert scheduler.asked == [""]


def test_an_end_that_tells_no_job_is_asked_for() -> None:
    scheduler = Scheduler([[final(job=None)]], [DONE])
    assert watch(scheduler)[-1].state.job == DONE


def test_a_scheduler_that_stays_away_ends_the_watch() -> None:
    with pytest.raises(ClusterUnavailable, match="gone for good"):
        watch(Scheduler([[Broken()]], [ClusterUnavailable("gone for good")]))


ALIVE = job_pb2.Job(job_id="j", state=job_pb2.JOB_STATE_RUNNING)
LOADING = job_pb2.Job(job_id="j", state=job_pb2.JOB_STATE_LOADING)
HALF = event_pb2.JobEvent(state=event_pb2.StateChange(state=job_pb2.JOB_STATE_LOADING))


@pytest.mark.parametrize(("seen", "known"), [(UnknownJob("j"), UnknownJob("j")), (HALF, LOADING)], ids=["all", "half"])
def test_a_job_that_the_store_forgot_is_submitted_again(seen: Any, known: Any) -> None:
    submitted: list[str] = []
    scheduler = Scheduler([[running("1-0"), seen], [running("5-0"), final()]], [known, ALIVE])
    assert watch(scheduler, submit=lambda: submitted.append("j"))[-1].state.job == DONE
    assert submitted == ["j"]
    assert scheduler.asked == ["", "1-0"]


def test_a_job_that_is_there_is_not_submitted_again() -> None:
    scheduler = Scheduler([[Broken()], [HALF], [final()]], [ALIVE, ALIVE])
    assert watch(scheduler, submit=lambda: pytest.fail("submitted"))[-1].state.job == DONE


def test_a_job_that_nobody_here_submitted_is_unknown_when_it_is_forgotten() -> None:
    with pytest.raises(UnknownJob):
        watch(Scheduler([[UnknownJob("j")]], [UnknownJob("j")]))
    assert watch(Scheduler([[HALF, final()]]))[0] == HALF


def test_a_job_that_does_not_end_in_time_is_left_alone() -> None:
    alive = job_pb2.Job(job_id="j", state=job_pb2.JOB_STATE_RUNNING)
    scheduler = Scheduler([[running("1-0"), Broken()]], [alive])
    with pytest.raises(TimeoutError, match="job j has not ended"):
        watch(scheduler, end=time.monotonic() - 1)
    assert len(scheduler.jobs) == 1


def test_output_is_marked_with_the_key_and_goes_where_it_would_have_gone(capsys: pytest.CaptureFixture[str]) -> None:
    watching.show(event_pb2.LogLines(stream=event_pb2.LOG_STREAM_STDOUT, text="one\ntwo\n"), ("x", 1))
    watching.show(event_pb2.LogLines(stream=event_pb2.LOG_STREAM_STDERR, text="oops"), "a")
    out = capsys.readouterr()
    assert out.out == "[('x', 1)] one\n[('x', 1)] two\n"
    assert out.err == "[a] oops\n"


def test_an_interrupt_ends_the_stream() -> None:
    class Interrupted(Stream):
        def __iter__(self) -> Iterator[event_pb2.JobEvent]:
            raise KeyboardInterrupt

    scheduler = Scheduler([])
    scheduler.streams = [stream := Interrupted([])]
    with pytest.raises(KeyboardInterrupt):
        watch(scheduler)
    assert stream.cancelled
