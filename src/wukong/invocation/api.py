"""Signed requests of Lambda's Invoke API, for those who send very many of them.

boto3 takes more than two milliseconds of processor time for an invocation, nearly all of it around the request. What
is left here, where a function and an endpoint are fixed, is a signature and a few headers. Who sends the request is the
caller's choice. Where an endpoint is given, and credentials stand in environment variables, nothing else is looked for;
else credentials, and the endpoint where none is given, are what botocore finds, which takes a third of a second to
import.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from wukong.errors import ClusterUnavailable
from wukong.invocation.signature import Credentials, at_hand, sign

#: Where a function is taken to be that is invoked through an endpoint of one's own, if nobody says it.
_REGION = "us-east-1"


class InvokeApi:
    """Requests to invoke one function asynchronously. Threads may share one.

    Args:
        endpoint: The URL of the Invoke API, empty for AWS's own. One that is given needs no credentials: where there
            are none, requests are not signed.
        function: The name of the function.
        environ: Where credentials and a region may stand.

    Raises:
        ClusterUnavailable: There are no AWS credentials, or no region.

    Attributes:
        url: Where to POST a payload, with its headers.
    """

    def __init__(self, endpoint: str, function: str, environ: Mapping[str, str] = os.environ) -> None:
        known = at_hand(environ)
        if endpoint and known is not None:
            self._credentials: Callable[[], Credentials] | None = lambda: known
            self._region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or _REGION
        else:
            endpoint = self._look(endpoint, function)
        self.url = f"{endpoint.rstrip('/')}/2015-03-31/functions/{quote(function, safe='')}/invocations"

    def _look(self, endpoint: str, function: str) -> str:
        """Have botocore look for credentials and a region, and for the endpoint, which is returned."""
        import botocore.session
        from botocore.exceptions import BotoCoreError

        session = botocore.session.Session()
        try:
            found: Any = session.get_credentials()
            base: str = endpoint or session.create_client("lambda").meta.endpoint_url
        except BotoCoreError as error:
            raise ClusterUnavailable(f"the function {function!r} cannot be invoked: {error}") from error
        if found is None and not endpoint:
            raise ClusterUnavailable(
                f"the function {function!r} cannot be invoked: there are no AWS credentials; give this service a role"
            )
        self._credentials = None if found is None else lambda: _frozen(found)
        self._region = session.get_config_variable("region") or _REGION
        return base

    @property
    def address(self) -> tuple[str, str]:
        """Scheme, and host with port."""
        parts = urlsplit(self.url)
        return parts.scheme, parts.netloc

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
        """
        headers = {"Content-Type": "application/json", "X-Amz-Invocation-Type": "Event"}
        if self._credentials is not None:
            headers = sign(
                headers,
                url=self.url,
                payload=payload,
                credentials=self._credentials(),
                region=self._region,
                service="lambda",
                when=datetime.now(UTC),
            )
        if trace:  # others on the way may change it, so it is not signed
            headers["X-Amzn-Trace-Id"] = trace
        return headers


def _frozen(found: Any) -> Credentials:
    frozen = found.get_frozen_credentials()
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token or "")
