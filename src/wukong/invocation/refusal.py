"""What Lambda answers when it does not take an invocation, and whether asking again can help. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

#: The longest pause between two requests for one record, in seconds.
LONGEST_PAUSE = 5.0

#: Another request, later, finds room.
BUSY = frozenset({"TooManyRequestsException", "ThrottlingException", "Throttling", "RequestLimitExceeded"})
#: Another request, later, finds the trouble over.
PASSING = frozenset({"ServiceException", "InternalFailure", "ServiceUnavailable", "ResourceConflictException"})

#: What stands for an answer where none came.
NO_ANSWER = "NoAnswer"

_ACCEPTED, _THROTTLED = 202, 429
#: Statuses that AWS's own clients ask again after, whatever the error is called.
_PASSING_STATUSES = frozenset({500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an invocation was not accepted.

    Attributes:
        code: Lambda's name of the error.
        message: What it says.
        status: That of HTTP; 0 where no answer came.
    """

    code: str
    message: str
    status: int = field(default=0, compare=False)

    @property
    def passes(self) -> bool:
        """Whether another request, later, can be accepted."""
        return self.code in BUSY or self.code in PASSING or self.code == NO_ANSWER or self.status in _PASSING_STATUSES

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def refusal(status: int, error_type: str, body: bytes) -> Refusal | None:
    """What an answer of the Invoke API means; None where it accepted the asynchronous invocation.

    Args:
        status: That of HTTP.
        error_type: The header `x-amzn-ErrorType`.
        body: JSON with a message, or what somebody on the way said instead.
    """
    if status == _ACCEPTED:
        return None
    code = error_type.partition(":")[0] or _code(status)
    try:
        said = json.loads(body)
        message = str(said.get("Message") or said.get("message") or "")
    except (ValueError, AttributeError):
        message = body[:200].decode(errors="replace")
    return Refusal(code, message, status)


def _code(status: int) -> str:
    """The name of an error that somebody on the way answered, who knows none of Lambda's names."""
    if status == _THROTTLED:
        return "TooManyRequestsException"
    return "ServiceUnavailable" if status >= 500 else f"status {status}"


def pauses(first: float, seconds: float) -> Iterator[float]:
    """Growing pauses, in seconds, between requests for one record, as far as they fit into `seconds` together."""
    pause = first
    while pause <= seconds:
        yield pause
        seconds -= pause
        pause = min(2 * pause, LONGEST_PAUSE)
