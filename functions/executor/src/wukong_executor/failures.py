"""Turns what went wrong in an executor into the failure that ends the job."""

from __future__ import annotations

import pickle
import traceback

import cloudpickle

from wukong.errors import WukongError
from wukong.mds.failure import Failure
from wukong.values.signing import Signer

#: Characters of a traceback, and bytes of a pickled exception, that are kept.
TRACEBACK_LIMIT = 64 * 1024
EXCEPTION_LIMIT = 1024 * 1024


def of_task(signer: Signer, job: str, task: int, key: object, error: BaseException) -> Failure:
    """A task raised. The traceback starts at the task's own code."""
    frames = error.__traceback__.tb_next if error.__traceback__ else None
    text = "".join(traceback.format_exception(type(error), error, frames))
    exception = _pickled(error)  # this forgets the traceback
    return Failure(
        error="TaskError",
        message=str(error)[:TRACEBACK_LIMIT],
        task=task,
        key=str(key),
        attempt=1,
        type_name=f"{type(error).__module__}.{type(error).__qualname__}",
        traceback=text[-TRACEBACK_LIMIT:],
        exception=signer.sign(f"failure:{job}", exception) + exception if exception else b"",
    )


def of_executor(error: WukongError, task: int = -1, key: object = "") -> Failure:
    """Something of Wukong's refused to go on: a value or page that is not signed or gone, a missing module."""
    return Failure(
        error=type(error).__name__,
        message=str(error),
        task=task,
        key=str(key),
        type_name=f"{type(error).__module__}.{type(error).__qualname__}",
        attributes={name: fact for name, fact in vars(error).items() if isinstance(fact, str | int | float)},
    )


def _pickled(error: BaseException) -> bytes:
    """The exception without its traceback; empty if it cannot make the journey there and back."""
    try:
        data: bytes = cloudpickle.dumps(error.with_traceback(None))
        pickle.loads(data)
    except Exception:
        return b""
    return data if len(data) <= EXCEPTION_LIMIT else b""
