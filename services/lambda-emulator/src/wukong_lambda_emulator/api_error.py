"""The errors of the Invoke API, in the form that AWS's clients turn into their own exceptions."""

from __future__ import annotations

import json

# The errors whose message's key AWS spells like that.
_CAPITALISED = frozenset({"RecursiveInvocationException", "ResourceNotFoundException", "ServiceException"})


class ApiError(Exception):
    """One refused request: HTTP status, AWS's name for the error and its message."""

    def __init__(self, status: int, name: str, message: str, *, reason: str = "", retry_after: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.name = name
        self.message = message
        self.reason = reason
        self.retry_after = retry_after

    @property
    def body(self) -> bytes:
        """The JSON document."""
        kind = "User" if self.status < 500 else "Service"
        key = "Message" if self.name in _CAPITALISED else "message"
        document = {"Type": kind, key: self.message}
        if self.reason:
            document["Reason"] = self.reason
        return json.dumps(document).encode()

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with it."""
        headers = {"Content-Type": "application/json", "x-amzn-ErrorType": self.name}
        if self.retry_after:
            headers["Retry-After"] = str(self.retry_after)
        return headers


def not_found(arn: str) -> ApiError:
    """There is no such function, or not in that version."""
    return ApiError(404, "ResourceNotFoundException", f"Function not found: {arn}")


def invalid_parameter(message: str) -> ApiError:
    """A parameter other than the payload is wrong."""
    return ApiError(400, "InvalidParameterValueException", message)


def invalid_content(message: str) -> ApiError:
    """The payload, or the client context, is not the JSON that it must be."""
    return ApiError(400, "InvalidRequestContentException", message)


def too_large(size: int, kind: str, limit: int) -> ApiError:
    """The payload is larger than an invocation of that type may carry."""
    message = f"{size} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
    return ApiError(413, "RequestTooLargeException", message)


def throttled(*, reserved: bool) -> ApiError:
    """As many invocations as may run at once are running."""
    reason = "ReservedFunctionConcurrentInvocationLimitExceeded" if reserved else "ConcurrentInvocationLimitExceeded"
    return ApiError(429, "TooManyRequestsException", "Rate Exceeded.", reason=reason, retry_after=1)


def rate_exceeded() -> ApiError:
    """The caller asks too often, whatever runs."""
    reason = "CallerRateLimitExceeded"
    return ApiError(429, "TooManyRequestsException", "Rate Exceeded.", reason=reason, retry_after=1)


def recursive(name: str) -> ApiError:
    """The function was reached too often along one chain of invocations."""
    return ApiError(
        400,
        "RecursiveInvocationException",
        f"Lambda has detected the function {name} being invoked in a recursive loop and stopped it. "
        "PutFunctionRecursionConfig with Allow lets a function do so.",
    )


def service_error(message: str) -> ApiError:
    """The emulator cannot do its work."""
    return ApiError(500, "ServiceException", message)
