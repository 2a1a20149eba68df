"""Sends requests to invoke one function, on connections that stay open between them."""

from __future__ import annotations

import http.client
from collections import deque

from wukong.invocation.api import InvokeApi
from wukong.invocation.refusal import NO_ANSWER, Refusal, refusal

#: Seconds that one request may take.
TIMEOUT = 10.0


class Requests:
    """Requests made through `api`. Any number of threads may use it; each request under way has its own connection."""

    def __init__(self, api: InvokeApi) -> None:
        self._api = api
        self._idle: deque[http.client.HTTPConnection] = deque()

    def post(self, payload: bytes, trace: str = "") -> Refusal | None:
        """Make one request and wait for its answer; None when it is accepted.

        Args:
            payload: The event.
            trace: The trace header of the invocation on whose behalf it is made; empty where there is none.
        """
        try:
            kept = self._idle.pop()
        except IndexError:
            pass
        else:
            try:
                return self._ask(kept, payload, trace)
            except (OSError, http.client.HTTPException):
                kept.close()  # ended while it was idle, most likely; a second invocation would do no harm
        scheme, host = self._api.address
        kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
        made = kind(host, timeout=TIMEOUT)
        try:
            return self._ask(made, payload, trace)
        except (OSError, http.client.HTTPException) as error:
            made.close()
            return Refusal(NO_ANSWER, f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """End the connections that are idle."""
        while self._idle:
            self._idle.pop().close()

    def _ask(self, connection: http.client.HTTPConnection, payload: bytes, trace: str) -> Refusal | None:
        connection.request("POST", self._api.path, payload, self._api.headers(payload, trace))
        answer = connection.getresponse()
        said = refusal(answer.status, answer.headers.get("x-amzn-ErrorType", ""), answer.read())
        self._idle.append(connection)
        return said
