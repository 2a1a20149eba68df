"""Turns the end of a job that did not succeed into what the user catches."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

from google.protobuf import json_format

from wukong import errors
from wukong.client import packages
from wukong.errors import ExecutorLost, JobCancelled, MissingModule, TaskError, WukongError
from wukong.graph.dag import Key
from wukong.rpc.v1 import job_pb2


def raised(job: job_pb2.Job, keys: Sequence[Key]) -> BaseException:
    """The exception to raise for a job that failed or was cancelled.

    It is the task's own exception, with a `TaskError` as its cause. Where that exception cannot be had (it could not
    be pickled, its class is not known here, or it would end this program, as SystemExit does) it is the `TaskError`.

    Args:
        job: The job after its end.
        keys: The Dask key of each task.
    """
    error = job.error
    if error.HasField("task"):
        return _of_task(error.task, keys)
    if not error.type:
        return JobCancelled(f"job {job.job_id} was {_STATES.get(job.state, 'ended')} before its results were read")
    kind = getattr(errors, error.type, WukongError)
    if not (isinstance(kind, type) and issubclass(kind, WukongError)):
        kind = WukongError
    if kind is ExecutorLost and {"probable_cause", "task"} <= set(error.attributes):
        return ExecutorLost(_key(error.attributes["task"], keys), str(error.attributes["probable_cause"]))
    found: WukongError = kind.__new__(kind, error.message)
    found.args = (error.message,)
    for name, fact in json_format.MessageToDict(error.attributes).items():
        found.__dict__[name] = int(fact) if type(getattr(kind, name, None)) is int else fact
    if isinstance(found, MissingModule):
        packages.tell(found, str(error.attributes["module"]) if "module" in error.attributes else "")
    return found


def _key(task: object, keys: Sequence[Key]) -> object:
    """The key of a task that is named by its number; what names it already, where it is not one of this graph's."""
    return keys[int(task)] if isinstance(task, float) and 0 <= task < len(keys) else task


def _of_task(error: job_pb2.TaskError, keys: Sequence[Key]) -> BaseException:
    key = keys[error.task] if error.task < len(keys) else error.key
    cause = TaskError(key, error.attempt, error.remote_traceback)
    if not error.exception:
        cause.add_note(f"The exception of class {error.type} cannot be pickled, so it did not leave the executor.")
        return cause
    try:
        original = pickle.loads(error.exception)
    except Exception as reason:
        cause.add_note(f"The exception of class {error.type} cannot be unpickled here: {reason!r}")
        return cause
    if not isinstance(original, Exception):
        return cause
    original.__cause__ = cause
    if isinstance(original, ModuleNotFoundError):
        packages.tell(original, original.name or "")
    return original


_STATES = {
    job_pb2.JOB_STATE_CANCELLED: "cancelled",
    job_pb2.JOB_STATE_GONE: "released",
    job_pb2.JOB_STATE_FAILED: "ended",
}
