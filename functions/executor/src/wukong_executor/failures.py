"""Turns what went wrong in an executor into the failure that ends the job."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import replace

from wukong.errors import StoreFull, WukongError
from wukong.graph.exception import pickled
from wukong.mds.failure import Failure
from wukong.values.signing import Signer

#: Characters of a traceback, and bytes of a pickled exception, that are kept.
TRACEBACK_LIMIT = 64 * 1024
EXCEPTION_LIMIT = 1024 * 1024

#: Characters of an error that a task recovered from.
SHORT_LIMIT = 4 * 1024


class ValueStuck(Exception):
    """A task's value cannot leave the process that made it, or arrive in this one.

    Attributes:
        task: The task.
        reason: Why.
    """

    def __init__(self, task: int, reason: Exception) -> None:
        super().__init__(task, reason)
        self.task = task
        self.reason = reason


def of_task(signer: Signer, job: str, task: int, key: object, error: BaseException, attempt: int) -> Failure:
    """A task raised in some run, the first is 1, and is not run again. The traceback starts at the task's own code."""
    frames = error.__traceback__.tb_next if error.__traceback__ else None
    text = "".join(traceback.format_exception(type(error), error, frames))
    return replace(_of_task(signer, job, task, key, error, text), attempt=attempt)


def of_value(signer: Signer, job: str, task: int, key: object, error: Exception) -> Failure:
    """A task's value cannot be packed or unpacked: no fault of the stores, but of what the task returned."""
    error.add_note(f"This is about the value of task {key!r}, which has to leave the executor that ran the task.")
    return _of_task(signer, job, task, key, error, "".join(traceback.format_exception_only(error)))


def of_executor(error: Exception, task: int = -1, key: object = "") -> Failure:
    """Wukong refused to go on (a value or page that is not signed or gone, a missing module), or has a bug."""
    message = _message(error)
    facts: dict[str, str | int | float] = {}
    if isinstance(error, WukongError):
        facts = {name: fact for name, fact in vars(error).items() if isinstance(fact, str | int | float)}
        kind = type(error).__name__
    else:
        kind = WukongError.__name__
        text = "".join(traceback.format_exception(error))[-TRACEBACK_LIMIT:]
        message = f"an executor failed unexpectedly, which is a bug in Wukong; please report it:\n\n{text}"
    return Failure(
        error=kind,
        message=_unicode(message),
        task=task,
        key=_unicode(str(key)),
        type_name=_type_name(error),
        attributes={name: _unicode(fact) if isinstance(fact, str) else fact for name, fact in facts.items()},
    )


def of_full(full: StoreFull, keys: Mapping[int, object]) -> Failure:
    """No node had room for a value, which is known to the stores by its task, or the first of several together."""
    task = int(full.name.rpartition("-")[2])
    key = str(keys.get(task, task))
    named = StoreFull(full.node, full.address, key, full.nbytes, full.stored, int(full.maximum))
    return of_executor(named, task, key)


def in_short(error: BaseException) -> str:
    """Class and message of an exception, for whoever watches the job."""
    return _unicode(f"{type(error).__qualname__}: {_message(error)}"[:SHORT_LIMIT])


def _of_task(signer: Signer, job: str, task: int, key: object, error: BaseException, text: str) -> Failure:
    message = _message(error)
    exception = pickled(error, EXCEPTION_LIMIT)  # this forgets the traceback
    return Failure(
        error="TaskError",
        message=_unicode(message[:TRACEBACK_LIMIT]),
        task=task,
        key=_unicode(str(key)),
        attempt=1,
        type_name=_type_name(error),
        traceback=_unicode(text[-TRACEBACK_LIMIT:]),
        exception=signer.sign(f"failure:{job}", exception) + exception if exception else b"",
    )


def _type_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:
        return f"(its text cannot be had: {type(broken).__name__})"


def _unicode(text: str) -> str:
    """The text without lone surrogates, which file names bring into messages and no protocol carries."""
    return text.encode(errors="backslashreplace").decode()
