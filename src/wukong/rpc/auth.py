"""The bearer token: clients put it on every call, servers demand it on every method of their own.

Health and reflection are open; see `wukong.rpc.interceptor`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

import grpc

from wukong.errors import AccessDenied, WukongError
from wukong.rpc.handler import Handler, Request, Response, before
from wukong.rpc.interceptor import Interceptor

HEADER = "authorization"


def credentials(token: str) -> tuple[str, str]:
    """The metadata that carries the token.

    Raises:
        AccessDenied: No server can have this token, because a header cannot carry it.
    """
    if not (token.isascii() and token.isprintable()):
        raise AccessDenied("the token holds characters other than printable ASCII; is it cut or quoted right?")
    return HEADER, f"Bearer {token}"


class TokenCheck(Interceptor):
    """Refuses calls whose token is missing or wrong with `AccessDenied`, in constant time.

    Args:
        token: The right one.
        refused: Is told the peer of each call that was refused.
    """

    def __init__(self, token: str, refused: Callable[[str], None] = lambda _: None) -> None:
        if not token:
            raise WukongError("the token is empty, so anybody could call this server; set WUKONG_TOKEN")
        self._refused = refused
        self._expected = credentials(token)[1].encode()

    def around(
        self, handler: Handler[Request, Response], details: grpc.HandlerCallDetails
    ) -> Handler[Request, Response]:
        """The method's handler, or one of the same kind that refuses."""
        given = dict(details.invocation_metadata).get(HEADER)
        if given is None:
            return self._refusing(handler, f"the call has no token; send the metadata '{HEADER}: Bearer TOKEN'")
        if not hmac.compare_digest(str(given).encode(), self._expected):
            return self._refusing(handler, "the token is wrong; take it from the cluster's own output or WUKONG_TOKEN")
        return handler

    def _refusing(self, handler: Handler[Request, Response], reason: str) -> Handler[Request, Response]:
        def refuse(context: Any) -> None:
            self._refused(context.peer())
            raise AccessDenied(reason)

        return before(handler, refuse)
