"""Signed requests of Lambda's Invoke API, for those who send very many of them.

boto3 takes more than two milliseconds of processor time for an invocation, nearly all of it around the request. What
is left here, where a function and an endpoint are fixed, is a signature and a few headers. Who sends the request is the
caller's choice; credentials, and the endpoint where none is given, are what botocore finds.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from wukong.errors import ClusterUnavailable


class InvokeApi:
    """Requests to invoke one function asynchronously. Threads may share one.

    Args:
        endpoint: The URL of the Invoke API, empty for AWS's own. One that is given needs no credentials: where there
            are none, requests are not signed.
        function: The name of the function.

    Raises:
        ClusterUnavailable: There are no AWS credentials, or no region.

    Attributes:
        url: Where to POST a payload, with its headers.
    """

    def __init__(self, endpoint: str, function: str) -> None:
        import botocore.session
        from botocore.exceptions import BotoCoreError

        session = botocore.session.Session()
        try:
            self._credentials: Any = session.get_credentials()
            base = endpoint or session.create_client("lambda").meta.endpoint_url
        except BotoCoreError as error:
            raise ClusterUnavailable(f"the function {function!r} cannot be invoked: {error}") from error
        if self._credentials is None and not endpoint:
            raise ClusterUnavailable(
                f"the function {function!r} cannot be invoked: there are no AWS credentials; give this service a role"
            )
        self._region = session.get_config_variable("region") or "us-east-1"
        self.url = f"{base.rstrip('/')}/2015-03-31/functions/{quote(function, safe='')}/invocations"

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
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        headers = {"Content-Type": "application/json", "X-Amz-Invocation-Type": "Event"}
        if trace:
            headers["X-Amzn-Trace-Id"] = trace
        if self._credentials is None:
            return headers
        request = AWSRequest("POST", self.url, data=payload, headers=headers)
        SigV4Auth(self._credentials.get_frozen_credentials(), "lambda", self._region).add_auth(request)
        return dict(request.headers.items())
