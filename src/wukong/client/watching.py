"""Follows a job until it has ended, through restarts of the scheduler."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from wukong.client.connection import Connection
from wukong.errors import ClusterUnavailable
from wukong.graph.dag import Key
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import event_pb2, job_pb2, scheduler_pb2

FINAL = (
    job_pb2.JOB_STATE_DONE,
    job_pb2.JOB_STATE_FAILED,
    job_pb2.JOB_STATE_CANCELLED,
    job_pb2.JOB_STATE_GONE,
)


def watch(connection: Connection, job_id: str, keys: Sequence[Key] | None) -> job_pb2.Job:
    """Wait for a job to end and return it as it then is.

    Args:
        connection: To the cluster.
        job_id: The job.
        keys: The Dask key of each task, to print what tasks print; None to leave their output in the log.

    Raises:
        ClusterUnavailable: The scheduler was away for longer than the connection's timeout.
    """
    seen = ""
    pause = 0.05
    while True:
        request = scheduler_pb2.WatchJobRequest(job_id=job_id, after_sequence=seen)
        try:
            with wukong_errors(connection.address):
                stream = connection.scheduler.WatchJob(request)
                try:
                    for event in stream:
                        seen = event.sequence or seen
                        if event.HasField("log"):
                            if keys is not None:
                                show(event.log, keys[event.log.task])
                        elif event.HasField("state") and event.state.state in FINAL:
                            if event.state.HasField("job"):
                                return event.state.job
                            break
                finally:
                    stream.cancel()
        except ClusterUnavailable:
            pass
        # The stream broke, or said that the job has ended without telling how. This call waits for a scheduler that
        # is away, and gives up after the timeout.
        job = connection.call(connection.scheduler.GetJob, job_pb2.JobRef(job_id=job_id))
        if job.state in FINAL:
            return job
        time.sleep(pause)
        pause = min(2 * pause, 1.0)


def show(log: event_pb2.LogLines, key: Key) -> None:
    """Print what a task printed where it would have gone, each line after the task's key."""
    out = sys.stderr if log.stream == event_pb2.LOG_STREAM_STDERR else sys.stdout
    text = "".join(f"[{key}] {line}\n" for line in log.text.splitlines())
    out.write(text)
    out.flush()
