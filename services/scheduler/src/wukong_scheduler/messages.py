"""Jobs as the interface tells them. Pure: what the metadata store holds in, messages out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp

from wukong.mds.counters import NAMES
from wukong.mds.failure import Failure
from wukong.mds.phase import Phase
from wukong.mds.store import Event, JobInfo
from wukong.prices import MB_MS_OF_GB_SECOND, Prices
from wukong.rpc.v1 import event_pb2, job_pb2
from wukong.values.mark import load_json
from wukong_scheduler.targets import Targets

#: The states after which nothing happens to a job any more, but its removal.
FINAL = frozenset({"done", "failed", "cancelled", "gone"})

#: Bytes of marks that one Job carries; what is beyond is read with Data.GetResult.
RESULT_BYTES = 16 * 1024 * 1024

#: Above this a double does not hold every integer.
_EXACT = 2**53

#: The counters that a report tells as they are.
_COUNTED = [name for name in NAMES if name in job_pb2.Report.DESCRIPTOR.fields_by_name]

_STATES = {
    "loading": job_pb2.JOB_STATE_LOADING,
    "running": job_pb2.JOB_STATE_RUNNING,
    "done": job_pb2.JOB_STATE_DONE,
    "failed": job_pb2.JOB_STATE_FAILED,
    "cancelled": job_pb2.JOB_STATE_CANCELLED,
    "gone": job_pb2.JOB_STATE_GONE,
}

#: `FINAL` as messages have it.
ENDED = frozenset(_STATES[name] for name in FINAL)

_STREAMS = {"stdout": event_pb2.LOG_STREAM_STDOUT, "stderr": event_pb2.LOG_STREAM_STDERR}


def state(name: str) -> job_pb2.JobState.ValueType:
    """A state by its name in the metadata store."""
    return _STATES[name]


def timestamp(seconds: float) -> Timestamp:
    """A time in unix seconds."""
    stamp = Timestamp()
    stamp.FromMicroseconds(round(seconds * 1_000_000))
    return stamp


def job(name: str, info: JobInfo, now: float, prices: Prices) -> job_pb2.Job:
    """A job without its results. `now`, in unix seconds, is the end of a job that has not ended."""
    message = job_pb2.Job(
        job_id=name,
        state=_STATES[info.state],
        tasks_total=info.tasks,
        tasks_run=info.counters.tasks_run,
        executors=0 if info.state in FINAL else info.live_records,
        report=report(info, now, prices),
        submitted_at=timestamp(info.created),
        deadline_at=timestamp(info.deadline),
        policy=info.policy,
    )
    if info.ended:
        message.ended_at.CopyFrom(timestamp(info.ended))
    if info.failure is not None:
        message.error.CopyFrom(error(info.failure))
    return message


def report(info: JobInfo, now: float, prices: Prices) -> job_pb2.Report:
    """What a job did. `now` as above."""
    counters = info.counters
    return job_pb2.Report(
        wall_seconds=max(0.0, (info.ended or now) - info.created),
        tasks=info.tasks,
        gb_seconds=counters.mb_ms / MB_MS_OF_GB_SECOND,
        cost_usd=prices.cost(counters.mb_ms, counters.invocations),
        slowest=[
            job_pb2.TaskTime(task=slow.task, key=slow.key, seconds=slow.microseconds / 1e6) for slow in info.slowest
        ],
        time=job_pb2.TimeSpent(**{phase.name.lower(): getattr(counters, phase.value) / 1e6 for phase in Phase}),
        **{name: getattr(counters, name) for name in _COUNTED},
    )


def error(failure: Failure) -> job_pb2.JobError:
    """Why a job failed."""
    message = job_pb2.JobError(type=failure.error, message=failure.message)
    if failure.error == "TaskError":
        message.task.CopyFrom(
            job_pb2.TaskError(
                task=max(0, failure.task),
                key=failure.key,
                attempt=failure.attempt,
                type=failure.type_name,
                message=failure.message,
                remote_traceback=failure.traceback,
                exception=failure.exception,
            )
        )
    else:
        message.attributes.update(failure.attributes)
        if failure.task >= 0:
            message.attributes.update({"task": failure.key or failure.task})
    return message


def add_results(job: job_pb2.Job, targets: Targets, marks: Sequence[bytes | None], room: int = RESULT_BYTES) -> None:
    """Add the results to a job, target by target, with the marks that fit into `room` bytes.

    They are made in their place: a message that is made for itself takes many times the memory, and there may be a
    million of them.

    Args:
        job: A job without results.
        targets: The targets.
        marks: Their marks as far as they are there.
        room: Bytes of marks.
    """
    add, names = job.results.add, targets.names
    for position, (target, mark) in enumerate(zip(targets.tasks, marks, strict=True)):
        name = names[position] if names else ""
        if mark is None or len(mark) > room:
            add(task=target, target=name)
            continue
        room -= len(mark)
        if mark.startswith(b"J"):
            json_format.ParseDict(_lossless(load_json(mark)), add(task=target, target=name).json)
        else:
            add(task=target, target=name, mark=mark)


def _lossless(value: Any) -> Any:
    """A JSON value whose integers a double holds exactly; others become strings, as protobuf's own JSON does it."""
    if isinstance(value, list):
        return [_lossless(item) for item in value]
    if isinstance(value, dict):
        return {name: _lossless(item) for name, item in value.items()}
    if type(value) is int and abs(value) > _EXACT:
        return str(value)
    return value


def event(entry: Event) -> event_pb2.JobEvent:
    """One entry of a job's stream; a final state lacks its job, which the caller adds."""
    milliseconds = int(entry.sequence.partition("-")[0])
    message = event_pb2.JobEvent(sequence=entry.sequence, time=timestamp(milliseconds / 1000))
    if entry.kind == "log":
        message.log.CopyFrom(
            event_pb2.LogLines(
                task=max(0, entry.task),
                key=entry.key or str(entry.task),
                stream=_STREAMS[entry.stream],
                text=entry.text,
            )
        )
    elif entry.kind == "retried":
        message.retried.CopyFrom(
            event_pb2.RetriedError(
                task=max(0, entry.task),
                key=entry.key or str(entry.task),
                attempt=entry.attempt,
                message=entry.text,
            )
        )
    else:
        message.state.state = _STATES[entry.text]
    return message


def progress(info: JobInfo) -> event_pb2.Progress:
    """How far a job is."""
    return event_pb2.Progress(tasks_total=info.tasks, tasks_run=info.counters.tasks_run, executors=info.live_records)
