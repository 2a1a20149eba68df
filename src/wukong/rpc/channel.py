"""Channels to a server of the cluster: a synchronous one for clients, an asynchronous one for services.

Both send the token with every call, and speak TLS where they are told whom to trust. Make calls inside
`wukong.rpc.status.wukong_errors(address)`, so that errors of Wukong are raised and not gRPC's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
import grpc.aio

from wukong.rpc.auth import credentials
from wukong.rpc.limits import CHANNEL_OPTIONS
from wukong.rpc.tls import CallerTls


def channel(address: str, token: str, tls: CallerTls | None = None) -> grpc.Channel:
    """A channel for synchronous calls of all kinds. It connects on the first call; close it."""
    if tls is None:
        opened = grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
    else:
        opened = grpc.secure_channel(address, tls.credentials(), options=CHANNEL_OPTIONS)
    return grpc.intercept_channel(_Unregistered(opened), _Token(token))


def async_channel(address: str, token: str, tls: CallerTls | None = None) -> grpc.aio.Channel:
    """A channel for asynchronous unary calls, all that services make. It connects on the first; close it."""
    interceptors = [_AsyncToken(token)]
    if tls is None:
        return grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS, interceptors=interceptors)
    return grpc.aio.secure_channel(address, tls.credentials(), options=CHANNEL_OPTIONS, interceptors=interceptors)


class _Details(NamedTuple):
    """What gRPC reads of a call's details."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _Token(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamUnaryClientInterceptor):
    """Adds the token to synchronous calls."""

    def __init__(self, token: str) -> None:
        self._credentials = credentials(token)

    def _call(self, continuation: Callable[..., Any], details: grpc.ClientCallDetails, request: Any) -> Any:
        metadata = [*(details.metadata or ()), self._credentials]
        with_token = _Details(
            details.method,
            details.timeout,
            metadata,
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )
        return continuation(with_token, request)

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        """One request, one answer."""
        return self._call(continuation, client_call_details, request)

    def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        """One request, a stream of answers."""
        return self._call(continuation, client_call_details, request)

    def intercept_stream_unary(
        self,
        continuation: Callable[..., Any],
        client_call_details: grpc.ClientCallDetails,
        request_iterator: Any,
    ) -> Any:
        """A stream of requests, one answer."""
        return self._call(continuation, client_call_details, request_iterator)


class _Unregistered(grpc.Channel):
    """A channel whose methods are not registered with gRPC's core.

    An intercepted channel registers a method anew with each call, and on a closed channel that ends the process: gRPC
    follows a pointer to nothing (seen in grpcio 1.85). Without it a call on a closed channel raises a ValueError.
    """

    def __init__(self, plain: Any) -> None:
        self._plain = plain

    def unary_unary(self, method: str, *serializers: Any, **options: Any) -> Any:
        """One request, one answer."""
        return self._plain.unary_unary(method, *serializers[:2])

    def unary_stream(self, method: str, *serializers: Any, **options: Any) -> Any:
        """One request, a stream of answers."""
        return self._plain.unary_stream(method, *serializers[:2])

    def stream_unary(self, method: str, *serializers: Any, **options: Any) -> Any:
        """A stream of requests, one answer."""
        return self._plain.stream_unary(method, *serializers[:2])

    def stream_stream(self, method: str, *serializers: Any, **options: Any) -> Any:
        """Streams of both."""
        return self._plain.stream_stream(method, *serializers[:2])

    def subscribe(
        self, callback: Callable[[grpc.ChannelConnectivity], None], try_to_connect: bool | None = None
    ) -> None:
        """Hear of the connection."""
        self._plain.subscribe(callback, try_to_connect)

    def unsubscribe(self, callback: Callable[[grpc.ChannelConnectivity], None]) -> None:
        """Hear no more of it."""
        self._plain.unsubscribe(callback)

    def close(self) -> None:
        """End it, and all calls."""
        self._plain.close()

    def __enter__(self) -> _Unregistered:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class _AsyncToken(grpc.aio.UnaryUnaryClientInterceptor):
    """Adds the token to asynchronous calls."""

    def __init__(self, token: str) -> None:
        self._credentials = credentials(token)

    async def intercept_unary_unary(
        self,
        continuation: Callable[..., Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        """One request, one answer."""
        metadata = grpc.aio.Metadata(*(client_call_details.metadata or ()), self._credentials)
        return await continuation(
            grpc.aio.ClientCallDetails(
                client_call_details.method,
                client_call_details.timeout,
                metadata,
                client_call_details.credentials,
                client_call_details.wait_for_ready,
            ),
            request,
        )
