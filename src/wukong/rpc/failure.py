"""Lets servicers raise: what they raise becomes the call's status."""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from wukong.errors import TooManyCalls, WukongError
from wukong.rpc.handler import Handler, Request, Response, function, remake
from wukong.rpc.interceptor import Interceptor
from wukong.rpc.status import encode

PUSHBACK = "grpc-retry-pushback-ms"
"""Trailing metadata: after how many milliseconds to call again."""

_log = logging.getLogger(__name__)

_Context = grpc.aio.ServicerContext[Any, Any]


class FailureToStatus(Interceptor):
    """Answers an error of Wukong with its status, and any other one with INTERNAL and a reference to the log.

    Methods that stream their answer must be asynchronous generators, all others coroutines.
    """

    def around(
        self, handler: Handler[Request, Response], details: grpc.HandlerCallDetails
    ) -> Handler[Request, Response]:
        """The method's handler, which answers what the method raises."""
        method = details.method
        _log.debug("%s is called", method)
        inner = function(handler)

        async def unary(request: Any, context: _Context) -> Any:
            try:
                return await inner(request, context)
            except Exception as error:
                await _answer(method, context, error)

        async def stream(request: Any, context: _Context) -> AsyncIterator[Any]:
            try:
                async for response in inner(request, context):
                    yield response
            except Exception as error:
                await _answer(method, context, error)

        return remake(handler, stream if handler.response_streaming else unary)


async def _answer(method: str, context: _Context, error: Exception) -> None:
    if isinstance(error, WukongError):
        code, details, metadata = encode(error)
        if isinstance(error, TooManyCalls):
            # What gRPC's own retries go by, in every language.
            await context.abort(code, details, (*metadata, (PUSHBACK, str(math.ceil(error.seconds * 1000)))))
        await context.abort(code, details, metadata)
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, grpc.aio.UsageError):
        # The caller went away in the middle of the call: nobody waits for an answer.
        raise error
    reference = secrets.token_hex(4)
    _log.error("%s failed, reference %s", method, reference, exc_info=error)
    await context.abort(
        grpc.StatusCode.INTERNAL,
        f"{method} failed unexpectedly ({type(error).__name__}); the server's log has it under {reference}",
    )
