"""Starts a gRPC server as every component of the cluster has one.

Around the component's own services: TLS where it has a certificate, health and reflection, the token on every call,
limits, and errors that travel (`wukong.rpc.status`).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from wukong.errors import ClusterUnavailable
from wukong.rpc.auth import TokenCheck
from wukong.rpc.failure import FailureToStatus
from wukong.rpc.limits import SERVER_OPTIONS
from wukong.rpc.rates import RateCheck, Rates
from wukong.rpc.reflection import Reflection
from wukong.rpc.tls import ServerTls

Context = grpc.aio.ServicerContext[Any, Any]
"""The second argument of every servicer's method."""

RATES = Rates()
"""The default rates."""

GRACE_SECONDS = 0.5
"""How long calls may go on when the server closes."""


class Server:
    """A started server. It is a `wukong.rpc.service.Service`."""

    def __init__(self, server: grpc.aio.Server, health_servicer: Any, address: str, services: Sequence[str]) -> None:
        self._server = server
        self._health = health_servicer
        self._address = address
        self._services = services

    @property
    def address(self) -> str:
        """host:port that it accepts connections on."""
        return self._address

    async def serving(self, serving: bool = True) -> None:
        """Says SERVING, or NOT_SERVING, to whoever asks for the health of the server or of one of its services."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for service in ("", *self._services):
            await self._health.set(service, status)

    async def close(self) -> None:
        """Says NOT_SERVING, refuses new calls, and cuts the others off after `GRACE_SECONDS`."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(GRACE_SECONDS)


async def start(
    listen: str,
    add_servicers: Callable[[grpc.aio.Server], None],
    token: str,
    services: Sequence[str],
    *,
    tls: ServerTls | None = None,
    rates: Rates = RATES,
    serving: bool = True,
) -> Server:
    """Starts a server in the running event loop; it accepts calls when this returns.

    Args:
        listen: host:port; port 0 lets the system choose.
        add_servicers: Gets the server and calls the generated `add_..._to_server`. The servicers raise
            errors of Wukong to refuse; methods that stream their answer are asynchronous generators.
        token: What callers must send; never empty.
        services: Full names of the services, such as "wukong.rpc.v1.Ring", for health and reflection.
        tls: What it shows and demands; None to speak without TLS.
        rates: How often it may be called.
        serving: False where there is more to do before the component is of use: call `Server.serving` then.

    Raises:
        ClusterUnavailable: The address cannot be listened on.
    """
    pace = RateCheck(rates)
    interceptors = [FailureToStatus(), pace, TokenCheck(token, pace.refused)]
    server = grpc.aio.server(interceptors=interceptors, options=SERVER_OPTIONS)
    add_servicers(server)
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    server.add_generic_rpc_handlers((Reflection((*services, health.SERVICE_NAME)),))
    host = listen.rpartition(":")[0]
    try:
        port = server.add_secure_port(listen, tls.credentials()) if tls else server.add_insecure_port(listen)
    except RuntimeError as error:
        raise ClusterUnavailable(f"cannot listen on {listen}: {_why_not(listen)}") from error
    started = Server(server, health_servicer, f"{host}:{port}", services)
    await started.serving(serving)
    await server.start()
    return started


def _why_not(listen: str) -> str:
    """The system's reason why an address cannot be listened on, which gRPC only logs."""
    host, _, port = listen.rpartition(":")
    if not port.isdecimal():
        return "it is not of the form host:port"
    try:
        with socket.create_server((host.strip("[]"), int(port))):
            return "gRPC could not bind it; try again, or choose another port"
    except OSError as error:
        reason = error.strerror or str(error)
        return f"{reason}. Stop the program that uses the port, or choose another one (0: any free one)"
