"""What the platform tells about an asynchronous invocation that came to nothing, and what it means. Pure.

Source: AWS Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations". How an environment ended is
in the error document: `Runtime.OutOfMemory`, `Runtime.ExitError`, `Sandbox.Timedout` and others of these two families;
what the function raised has the name of a class.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wukong.mds import tokens

#: The end of the sentence with which every error document of the platform's begins.
_PREAMBLE = re.compile(r"^RequestId: \S+ (?:Error: )?")
#: How the cause begins where an invocation took too long.
TIME_LIMIT = "the function's time limit"
#: Characters of a cause that are passed on.
_LONGEST = 500


class Ended(enum.Enum):
    """How far it came."""

    NEVER_RAN = "never ran"
    DIED = "died"
    """Its environment ended in the middle of it."""
    RAISED = "raised"
    """Its handler did: the executor could not go on, because of a store for example. Its environment lives."""


@dataclass(frozen=True, slots=True)
class InvocationEnd:
    """An invocation for a record that came to nothing.

    Attributes:
        job: The job.
        record: The record.
        holder: With which the tokens of the invocation begin; empty where it never ran.
        ended: How far it came.
        why: The cause, in a few words.
    """

    job: str
    record: str
    holder: str
    ended: Ended
    why: str

    @property
    def at_once(self) -> bool:
        """Whether somebody should begin the record now.

        Not where the executor itself gave up: what it met will still be there, and the lease is the pause to wait.
        """
        return self.ended is not Ended.RAISED


def read(message: str) -> InvocationEnd | None:
    """The invocation that a message of the failure queue tells of; None where it is none of an executor."""
    try:
        told = json.loads(message)
        event, context = told["requestPayload"], told["requestContext"]
        job, record, request = event["job"], event["record"], context["requestId"]
        condition, answer = context["condition"], told.get("responsePayload")
    except (ValueError, TypeError, KeyError):
        return None
    if not all(isinstance(each, str) for each in (job, record, request, condition)):
        return None
    if "responseContext" not in told:
        return InvocationEnd(job, record, "", Ended.NEVER_RAN, _undelivered(condition))
    ended, why = _explained(answer if isinstance(answer, dict) else {})
    return InvocationEnd(job, record, tokens.mark(request), ended, why[:_LONGEST])


def _undelivered(condition: str) -> str:
    if condition == "EventAgeExceeded":
        return "the invocation waited for longer than the function's maximum event age"
    return f"the platform did not deliver the invocation ({condition}; perhaps it was stopped as a recursive loop)"


def _explained(answer: Mapping[str, Any]) -> tuple[Ended, str]:
    kind, message = str(answer.get("errorType", "")), str(answer.get("errorMessage", ""))
    message = _PREAMBLE.sub("", message)
    if kind == "Runtime.OutOfMemory":
        return Ended.DIED, "out of memory"
    if kind == "Sandbox.Timedout" or "Task timed out after" in message:
        limit = message[message.find("Task timed out") :]
        return Ended.DIED, f"{TIME_LIMIT} ({limit})"
    if kind == "Runtime.ExitError":
        return Ended.DIED, message.removeprefix("Runtime exited with error: ")
    if kind.startswith(("Runtime.", "Sandbox.")):
        return Ended.DIED, f"{kind}: {message}"
    return Ended.RAISED, f"{kind}: {message}" if kind else "an error that says nothing"
