"""Server interceptors put another function in a method's place; here is how, for all kinds of method."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

Request = TypeVar("Request")
Response = TypeVar("Response")
if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Request, Response]
else:
    # Generic in the type stubs only.
    Handler = grpc.RpcMethodHandler


def function(handler: Handler[Request, Response]) -> Any:
    """What a handler calls; its type depends on what the method streams."""
    return handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream


def before(handler: Handler[Request, Response], check: Callable[[Any], None]) -> Handler[Request, Response]:
    """A handler that calls `check` with the call's context first, and goes on unless that raises."""
    inner = function(handler)

    async def unary(request: Any, context: Any) -> Any:
        check(context)
        return await inner(request, context)

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        check(context)
        async for response in inner(request, context):
            yield response

    return remake(handler, stream if handler.response_streaming else unary)


def remake(handler: Handler[Request, Response], behaviour: Any) -> Handler[Request, Response]:
    """A handler of the same kind that calls `behaviour`."""
    make: Any = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[handler.request_streaming, handler.response_streaming]
    made: Handler[Request, Response] = make(behaviour, handler.request_deserializer, handler.response_serializer)
    return made
