"""gRPC's reflection, loaded when somebody asks for it: every server would start later, for what few ever use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import grpc

SERVICE: Final = "grpc.reflection.v1alpha.ServerReflection"


class Reflection(grpc.GenericRpcHandler):
    """Answers which services and messages a server has.

    Args:
        services: Full names of the services, without this one.
    """

    def __init__(self, services: Sequence[str]) -> None:
        self._services = (*services, SERVICE)
        self._handlers: list[grpc.GenericRpcHandler] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of a call, if it is one of reflection's."""
        if not str(handler_call_details.method).startswith(f"/{SERVICE}/"):
            return None
        if not self._handlers:
            from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

            servicer = reflection.aio.ReflectionServicer(self._services)
            reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, self)
        return self._handlers[0].service(handler_call_details)

    # What the generated code asks a server.

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Take the handlers of the service."""
        self._handlers += handlers

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """The same ones, by their names: nothing more to take."""
