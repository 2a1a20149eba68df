"""One invocation, as the shell carries it from caller to environment and back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from wukong_lambda_emulator.api_error import ApiError


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller of a synchronous invocation gets: the function's result, or the error document."""

    payload: bytes
    #: Empty, or the value of X-Amz-Function-Error.
    function_error: str
    #: The end of the invocation's log.
    tail: bytes


@dataclass(slots=True)
class Invocation:
    """An invocation that is not over."""

    #: Its own: the pool's name for it.
    id: str
    #: What the function sees; every delivery of one asynchronous invocation has the same.
    request_id: str
    payload: bytes
    trace: str
    arn: str
    #: JSON, or empty.
    client_context: str = ""
    #: What the caller waits for; None for an asynchronous invocation.
    outcome: asyncio.Future[Answer | ApiError] | None = None
    #: How often it was given to an environment.
    attempts: int = 0
    #: What the newest attempt that is over led to: document and X-Amz-Function-Error.
    posted: tuple[bytes, str] | None = None
    #: The end of the log of the present attempt, once it is over.
    tail: bytes = b""
