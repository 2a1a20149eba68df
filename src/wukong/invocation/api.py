"""Signed requests of Lambda's Invoke API, for those who send very many of them.

boto3 takes more than two milliseconds of processor time for an invocation, nearly all of it around the request. What
is left here, where a function and an endpoint are fixed, is a signature and a few headers. Who sends the request is the
caller's choice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from wukong.errors import ClusterUnavailable
from wukong.invocation.caller import Caller
from wukong.invocation.signature import host


class InvokeApi:
    """Requests to invoke one function asynchronously. Threads may share one.

    Args:
        endpoint: The URL of the Invoke API, empty for AWS's own. One that is given needs no credentials; see
            `wukong.invocation.caller`.
        function: The name of the function.
        environ: Where credentials and a region may stand.

    Raises:
        ClusterUnavailable: There are no AWS credentials, or no region.

    Attributes:
        url: Where to POST a payload, with its headers.
    """

    def __init__(self, endpoint: str, function: str, environ: Mapping[str, str] = os.environ) -> None:
        try:
            self._caller = Caller("lambda", endpoint, environ)
        except ClusterUnavailable as error:
            raise ClusterUnavailable(f"the function {function!r} cannot be invoked: {error}") from error
        self.url = f"{self._caller.endpoint}/2015-03-31/functions/{quote(function, safe='')}/invocations"

    @property
    def address(self) -> tuple[str, str]:
        """Scheme, and host with its port unless that is the usual one."""
        return urlsplit(self.url).scheme, host(self.url)

    @property
    def path(self) -> str:
        """What to POST to at that address."""
        return urlsplit(self.url).path

    def headers(self, payload: bytes, trace: str = "") -> dict[str, str]:
        """The headers of one request, the signature among them.

        Args:
            payload: The event.
            trace: The trace header of the invocation on whose behalf this one is made, empty where there is none. Its
                lineage is what Lambda finds recursive loops by.

        Raises:
            ClusterUnavailable: There are no valid credentials any more.
        """
        headers = {"Content-Type": "application/json", "X-Amz-Invocation-Type": "Event"}
        signed = self._caller.signed(headers, self.url, payload)
        if trace:  # others on the way may change it, so it is not signed
            signed["X-Amzn-Trace-Id"] = trace
        return signed
