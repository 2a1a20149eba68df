"""What the server's interceptors share: they deal with the methods of Wukong's own services only.

gRPC's own, health and reflection, pass untouched: load balancers and grpcurl's `list` and `describe` need no secret.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable

import grpc
import grpc.aio

from wukong.rpc.handler import Handler, Request, Response

#: What the methods of gRPC's own services begin with.
_OPEN_PREFIX = "/grpc."


class Interceptor(grpc.aio.ServerInterceptor):
    """Puts what a subclass makes of a method's handler in its place."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler[Request, Response] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler[Request, Response] | None:
        """The method's handler, or what takes its place; None where there is no such method."""
        handler = await continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith(_OPEN_PREFIX):
            return handler
        return self.around(handler, handler_call_details)

    @abstractmethod
    def around(
        self, handler: Handler[Request, Response], details: grpc.HandlerCallDetails
    ) -> Handler[Request, Response]:
        """What is called in the place of a handler of Wukong's own.

        Args:
            handler: The method's.
            details: The method's name, and the call's metadata.
        """
