"""A job as the command shows it. Pure: messages in, plain values and lines out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp

from wukong.cli.output import one_line
from wukong.client.events import state_name
from wukong.client.report import Report
from wukong.rpc.v1 import job_pb2

#: Above this a double does not hold every integer.
_EXACT = 2**53


def as_dict(job: job_pb2.Job, results: Mapping[str, object] | None = None) -> dict[str, Any]:
    """A job as plain values; times are ISO 8601, in UTC.

    Args:
        job: The job.
        results: The values of its targets; left out where None.
    """
    shown: dict[str, Any] = {
        "id": job.job_id,
        "state": state_name(job.state),
        "tasks": job.tasks_total,
        "tasks_run": job.tasks_run,
        "executors": job.executors,
        "policy": job.policy,
        "submitted": _time(job.submitted_at),
        "ended": _time(job.ended_at) if job.HasField("ended_at") else None,
        "deadline": _time(job.deadline_at),
        "report": Report.of(job).to_dict(),
        "error": error(job.error) if job.HasField("error") else None,
    }
    if results is not None:
        shown["results"] = dict(results)
    return shown


def error(failure: job_pb2.JobError) -> dict[str, Any]:
    """Why a job failed."""
    if not failure.HasField("task"):
        return {"type": failure.type, "message": failure.message}
    task = failure.task
    return {
        "type": task.type,
        "message": task.message,
        "task": task.key,
        "attempt": task.attempt,
        "traceback": task.remote_traceback,
    }


def explain(job: job_pb2.Job) -> str:
    """One line about the end of a job that did not succeed."""
    if not job.HasField("error"):
        return f"job {job.job_id}: {state_name(job.state)}"
    found = error(job.error)
    reason = f"{found['type']}: {found['message']}" if found["message"] else found["type"]
    if "task" in found:
        reason = f"task {found['task']} raised {reason}"
    return one_line(f"job {job.job_id} {state_name(job.state)}: {reason}")


def row(job: job_pb2.Job) -> list[str]:
    """A line of the table of jobs: id, state, tasks, executors, seconds, when it was submitted."""
    return [
        job.job_id,
        state_name(job.state),
        f"{job.tasks_run:,}/{job.tasks_total:,}",
        str(job.executors),
        f"{job.report.wall_seconds:.1f}",
        _time(job.submitted_at),
    ]


def json_results(job: job_pb2.Job) -> dict[str, Any]:
    """The values that came with a job, by target: all of a job of calls, but for very large ones."""
    return {
        result.target: integers(json_format.MessageToDict(result.json))
        for result in job.results
        if result.HasField("json")
    }


def integers(value: Any) -> Any:
    """A JSON value whose integral numbers are integers again, which protobuf's JSON made doubles."""
    match value:
        case float() if value.is_integer() and abs(value) <= _EXACT:
            return int(value)
        case list():
            return [integers(item) for item in value]
        case dict():
            return {name: integers(item) for name, item in value.items()}
    return value


def _time(stamp: Timestamp) -> str:
    return stamp.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ")
