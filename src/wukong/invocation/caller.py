"""Who makes requests to AWS, or to an endpoint that stands in for it.

Where an endpoint is given, and credentials stand in environment variables, nothing else is looked for. Else
credentials, region, and the endpoint where none is given, are what botocore finds, which takes a third of a second to
import.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from wukong.errors import ClusterUnavailable
from wukong.invocation.signature import Credentials, at_hand, sign

#: Where an endpoint of one's own is taken to be, if nobody says it.
_REGION = "us-east-1"


class Caller:
    """Signs requests to one service. Threads may share one.

    Args:
        service: The service, as it is named in signatures.
        endpoint: Its URL, empty for AWS's own. One that is given needs no credentials: where there are none, requests
            are not signed.
        environ: Where credentials and a region may stand.

    Raises:
        ClusterUnavailable: There are no AWS credentials, or no region.

    Attributes:
        endpoint: The URL of the service.
    """

    def __init__(self, service: str, endpoint: str, environ: Mapping[str, str] = os.environ) -> None:
        self._service = service
        known = at_hand(environ)
        if endpoint and known is not None:
            self.endpoint = endpoint
            self._credentials: Callable[[], Credentials] | None = lambda: known
            self._region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or _REGION
        else:
            self._look(endpoint)
        self.endpoint = self.endpoint.rstrip("/")

    def _look(self, endpoint: str) -> None:
        import botocore.session
        from botocore.exceptions import BotoCoreError

        session = botocore.session.Session()
        try:
            found: Any = session.get_credentials()
            self.endpoint = endpoint or session.create_client(self._service).meta.endpoint_url
        except BotoCoreError as error:
            raise ClusterUnavailable(f"AWS's service {self._service!r} cannot be called: {error}") from error
        if found is None and not endpoint:
            raise ClusterUnavailable(
                f"AWS's service {self._service!r} cannot be called: there are no AWS credentials; give this service a "
                "role"
            )
        self._credentials = None if found is None else lambda: _frozen(found)
        self._region = session.get_config_variable("region") or _REGION

    def signed(self, headers: Mapping[str, str], url: str, payload: bytes) -> dict[str, str]:
        """The headers of a POST request, with the signature where there is somebody to sign for.

        Args:
            headers: The request's.
            url: Its URL.
            payload: Its body.
        """
        if self._credentials is None:
            return dict(headers)
        return sign(
            headers,
            url=url,
            payload=payload,
            credentials=self._credentials(),
            region=self._region,
            service=self._service,
            when=datetime.now(UTC),
        )


def _frozen(found: Any) -> Credentials:
    """Credentials of botocore's as they are now: they may change with time."""
    frozen = found.get_frozen_credentials()
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token or "")
