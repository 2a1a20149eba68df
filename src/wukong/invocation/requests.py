"""Sends requests to invoke one function, on connections that stay open between them."""

from __future__ import annotations

from http.client import HTTPException

from wukong.errors import ClusterUnavailable
from wukong.invocation.api import InvokeApi
from wukong.invocation.connections import Connections
from wukong.invocation.refusal import NO_ANSWER, Refusal, refusal

#: Seconds that an answer may take.
TIMEOUT = 10.0


class Requests:
    """Requests made through `api`. Any number of threads may use it.

    Raises:
        ClusterUnavailable: The proxy on the way is none that can be used.
    """

    def __init__(self, api: InvokeApi) -> None:
        self._api = api
        self._connections = Connections(*api.address, TIMEOUT)

    def post(self, payload: bytes, trace: str = "") -> Refusal | None:
        """Make one request and wait for its answer; None when it is accepted.

        Args:
            payload: The event.
            trace: The trace header of the invocation on whose behalf it is made; empty where there is none.
        """
        try:
            answer = self._connections.post(self._api.path, payload, self._api.headers(payload, trace))
        except (OSError, HTTPException, ClusterUnavailable) as error:
            return Refusal(NO_ANSWER, f"{type(error).__name__}: {error}")
        return refusal(answer.status, answer.error_type, answer.body)

    def close(self) -> None:
        """End the connections that are idle."""
        self._connections.close()
