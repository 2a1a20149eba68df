"""The cluster's services as a client calls them: synchronous gRPC, every call repeated while the server is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import grpc

from wukong.client.aside import Aside
from wukong.errors import ClusterUnavailable, TooManyCalls
from wukong.rpc.channel import channel
from wukong.rpc.handshake import closed, trouble
from wukong.rpc.status import wukong_errors
from wukong.rpc.tls import CallerTls
from wukong.rpc.v1 import cluster_pb2, data_pb2_grpc, scheduler_pb2, scheduler_pb2_grpc

Response = TypeVar("Response")

#: Seconds between two attempts to reach a server that is away, at first and at most.
_PAUSES = (0.05, 1.0)


class Connection:
    """A connection to one cluster, made when this is constructed. Any number of threads may use it.

    Args:
        address: host:port of the scheduler.
        token: The bearer token.
        timeout: Seconds to go on trying while nothing answers.
        check: Raises `ClusterUnavailable` when it is known that nothing will ever answer.
        tls: Whom to trust, and what to show; None to speak without TLS.

    Attributes:
        scheduler: The scheduler's methods.
        aside: Makes calls for the main thread.
        cluster: What the scheduler said about the cluster.

    Raises:
        ClusterUnavailable: Nothing answered in time.
        AccessDenied: The token is wrong, or `TlsFailed`: the two sides do not agree on TLS.
    """

    def __init__(
        self,
        address: str,
        token: str,
        timeout: float,
        check: Callable[[], None] = lambda: None,
        tls: CallerTls | None = None,
    ) -> None:
        self.address = address
        self._check = check
        self.timeout = timeout
        self._token = token
        self._tls = tls
        self._met = False
        self._lock = threading.Lock()
        self.aside = Aside()
        self._channel = channel(address, token, tls)
        self._data_channel: grpc.Channel | None = None
        self.scheduler = scheduler_pb2_grpc.SchedulerStub(self._channel)
        try:
            self.cluster: cluster_pb2.Cluster = self.call(self.scheduler.GetCluster, scheduler_pb2.GetClusterRequest())
            self._met = True
        except BaseException:
            self._channel.close()
            raise

    def call(self, method: Callable[..., Response], request: Any, seconds: float | None = None) -> Response:
        """One call of a scheduler's method and its answer.

        All methods may be repeated without harm, so this goes on through a restart of the scheduler.

        Args:
            method: A method of `scheduler`.
            request: Its request, or a function that makes an iterator of requests.
            seconds: How long one attempt may take; by default as long as `timeout`.

        Raises:
            WukongError: What the scheduler answered.
            ClusterUnavailable: Nothing answered for `timeout` seconds.
        """

        def attempt() -> Response:
            with wukong_errors(self.address):
                return method(request() if callable(request) else request, timeout=seconds or self.timeout)

        return self.repeat(attempt)

    def repeat(self, attempt: Callable[[], Response]) -> Response:
        """What `attempt` returns, tried again while it finds nobody or comes too often, for up to `timeout` seconds."""
        return self.aside.call(lambda: self._repeat(attempt))

    def _repeat(self, attempt: Callable[[], Response]) -> Response:
        end = time.monotonic() + self.timeout
        pause, longest = _PAUSES
        while True:
            try:
                return attempt()
            except ClusterUnavailable as error:
                self._check()
                if not self._met and closed(str(error)) and (failed := trouble(self.address, self._tls)):
                    raise failed from error
                if time.monotonic() + pause > end:
                    raise
            except TooManyCalls as error:
                if time.monotonic() + error.seconds > end:
                    raise
                time.sleep(error.seconds)
                continue
            time.sleep(pause)
            pause = min(2 * pause, longest)

    @property
    def data_address(self) -> str:
        """host:port of the proxy's Data service."""
        return self.cluster.data_endpoint

    @property
    def data(self) -> data_pb2_grpc.DataStub:
        """The methods of the proxy's Data service."""
        with self._lock:
            if self._data_channel is None:
                self._data_channel = channel(self.data_address, self._token, self._tls)
            return data_pb2_grpc.DataStub(self._data_channel)

    def close(self) -> None:
        """End the connection; calls under way fail."""
        self.aside.call(self._close)
        self.aside.close()

    def _close(self) -> None:
        self._check = lambda: None  # which may keep the cluster alive
        self._channel.close()
        with self._lock:
            if self._data_channel is not None:
                self._data_channel.close()
