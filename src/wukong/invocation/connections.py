"""Connections to one HTTP endpoint, which stay open between requests.

They are made as boto3 makes its own: an endpoint with TLS is reached through the proxy that HTTPS_PROXY names, unless
NO_PROXY has the host, and is known by the certificates in AWS_CA_BUNDLE, or else by the system's. An endpoint without
TLS stands in for AWS and is close by: it is reached directly.
"""

from __future__ import annotations

import os
import ssl
from base64 import b64encode
from collections import deque
from collections.abc import Mapping
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from wukong.errors import ClusterUnavailable


class Answer(NamedTuple):
    """What an endpoint answered.

    Attributes:
        status: That of HTTP.
        error_type: AWS's name of the error, where it is told in the headers, or nothing.
        body: All of it.
    """

    status: int
    error_type: str
    body: bytes


class Connections:
    """POST requests to one endpoint. Any number of threads may use it; a request under way has its own connection.

    Args:
        scheme: "http" or "https".
        host: The endpoint's, with its port unless it is the usual one.
        timeout: Seconds that it may be silent.
        environ: Where a bundle of certificates may be named.

    Raises:
        ClusterUnavailable: Its proxy is none that can be used.
    """

    def __init__(self, scheme: str, host: str, timeout: float, environ: Mapping[str, str] = os.environ) -> None:
        self._secure = scheme == "https"
        self._host = host
        self._timeout = timeout
        self._bundle = environ.get("AWS_CA_BUNDLE") or None
        self._proxy = _proxy(host) if self._secure else None
        self._idle: deque[HTTPConnection] = deque()

    def post(self, path: str, payload: bytes, headers: Mapping[str, str]) -> Answer:
        """Make one request and wait for its answer.

        Raises:
            OSError, http.client.HTTPException: There was none.
        """
        try:
            kept = self._idle.pop()
        except IndexError:
            pass
        else:
            try:
                return self._ask(kept, path, payload, headers)
            except (OSError, HTTPException):
                pass  # ended while it was idle, most likely; a second request would do no harm
        return self._ask(self._made(), path, payload, headers)

    def close(self) -> None:
        """End the connections that are idle."""
        while self._idle:
            self._idle.pop().close()

    def _ask(self, connection: HTTPConnection, path: str, payload: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            connection.request("POST", path, payload, dict(headers))
            response = connection.getresponse()
            answer = Answer(response.status, response.headers.get("x-amzn-ErrorType", ""), response.read())
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answer

    def _made(self) -> HTTPConnection:
        if not self._secure:
            return HTTPConnection(self._host, timeout=self._timeout)
        if self._proxy is None:
            return HTTPSConnection(self._host, timeout=self._timeout, context=self._context)
        host, headers = self._proxy
        made = HTTPSConnection(host, timeout=self._timeout, context=self._context)
        made.set_tunnel(self._host, headers=headers)
        return made

    @cached_property
    def _context(self) -> ssl.SSLContext:
        # One for all connections: to read the system's certificates takes longer than to make a connection.
        return ssl.create_default_context(cafile=self._bundle)


def _proxy(host: str) -> tuple[str, dict[str, str]] | None:
    """The proxy on the way to a host, and what it is told; None where there is none."""
    from urllib.request import getproxies_environment, proxy_bypass

    url = getproxies_environment().get("https", "")
    if not url or proxy_bypass(host):
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        raise ClusterUnavailable(
            f"the proxy that HTTPS_PROXY names cannot be used for {host}: its URL must begin with http:// and name a "
            "host; change it, or add the host to NO_PROXY"
        )
    user = ":".join(unquote(part) for part in (parts.username, parts.password) if part is not None)
    headers = {"Proxy-Authorization": f"Basic {b64encode(user.encode()).decode()}"} if user else {}
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{name}:{parts.port or 80}", headers
