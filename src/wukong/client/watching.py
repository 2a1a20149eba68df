"""Follows a job until it has ended, through restarts of the scheduler, and of a store that has forgotten the job.

A metadata store that starts again may have lost its last second, and with it a job that was accepted in it, or a part
of that job: it then is unknown, or loading for ever. Whoever submitted it can do so again, under the same id: that
starts it where it is gone, completes it where it is cut short, and changes nothing where it is there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator

from wukong.client.connection import Connection
from wukong.errors import ClusterUnavailable, TooManyCalls, UnknownJob
from wukong.graph.dag import Key
from wukong.graph.name import name
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import event_pb2, job_pb2, scheduler_pb2

FINAL = (
    job_pb2.JOB_STATE_DONE,
    job_pb2.JOB_STATE_FAILED,
    job_pb2.JOB_STATE_CANCELLED,
    job_pb2.JOB_STATE_GONE,
)


def watch(
    connection: Connection,
    job_id: str,
    after: str = "",
    end: float | None = None,
    submit: Callable[[], None] | None = None,
) -> Generator[event_pb2.JobEvent, None, None]:
    """What happens to a job. The last event is a final state, with all of the job in it.

    Args:
        connection: To the cluster.
        job_id: The job.
        after: The last sequence that was seen; empty to begin with the first.
        end: When to give up, on the monotonic clock; None never.
        submit: Submits the job again; None where nobody here can.

    Raises:
        TimeoutError: The job had not ended at `end`.
        ClusterUnavailable: The scheduler was away for longer than the connection's timeout.
        UnknownJob: There is no such job.
    """
    pause = 0.05
    while True:
        request = scheduler_pb2.WatchJobRequest(job_id=job_id, after_sequence=after)
        try:
            with wukong_errors(connection.address):
                stream = connection.scheduler.WatchJob(request, timeout=_left(end))
                try:
                    for event in stream:
                        after = event.sequence or after
                        if submit is not None and event.state.state == job_pb2.JOB_STATE_LOADING:
                            break
                        final = event.HasField("state") and event.state.state in FINAL
                        if final and not event.state.HasField("job"):
                            break
                        yield event
                        if final:
                            return
                finally:
                    stream.cancel()
        except (ClusterUnavailable, UnknownJob, TooManyCalls):
            pass
        if end is not None and time.monotonic() >= end:
            raise TimeoutError(f"job {job_id} has not ended yet")
        # The stream broke, or said that the job has ended without telling how, or that it is not there.
        job = look(connection, job_id, submit)
        if job.state in FINAL:
            yield event_pb2.JobEvent(state=event_pb2.StateChange(state=job.state, job=job))
            return
        time.sleep(pause)
        pause = min(2 * pause, 1.0)


def look(connection: Connection, job_id: str, submit: Callable[[], None] | None = None) -> job_pb2.Job:
    """The job, submitted again where it was forgotten. Waits for a scheduler that is away.

    Arguments and errors are those of `watch`.
    """

    def get() -> job_pb2.Job:
        return connection.call(connection.scheduler.GetJob, job_pb2.JobRef(job_id=job_id))

    if submit is None:
        return get()
    try:
        job = get()
        if job.state != job_pb2.JOB_STATE_LOADING:
            return job
    except UnknownJob:
        pass
    submit()
    return get()


def _left(end: float | None) -> float | None:
    return None if end is None else max(0.0, end - time.monotonic())


def show(log: event_pb2.LogLines, key: Key) -> None:
    """Print what a task printed where it would have gone, each line after the task's key."""
    out = sys.stderr if log.stream == event_pb2.LOG_STREAM_STDERR else sys.stdout
    out.write(marked(log.text, key))
    out.flush()


def marked(text: str, key: Key) -> str:
    """Each line of a text after a task's name."""
    return "".join(f"[{name(key)}] {line}\n" for line in text.splitlines())
