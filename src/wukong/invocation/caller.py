"""Who makes requests to AWS, or to an endpoint that stands in for it.

Requests to an endpoint that is given are signed with credentials that stand in environment variables, and where there
are none not at all: nobody asks the machine whose it is. For AWS's own, credentials, region and endpoint are what
botocore finds, which takes a third of a second to import.
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
        endpoint: Its URL, empty for AWS's own.
        environ: Where credentials and a region may stand.

    Raises:
        ClusterUnavailable: There are no AWS credentials, or no region.

    Attributes:
        endpoint: The URL of the service.
    """

    def __init__(self, service: str, endpoint: str, environ: Mapping[str, str] = os.environ) -> None:
        self._service = service
        self._credentials: Callable[[], Credentials] | None = None
        self._region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or _REGION
        self.endpoint = (endpoint or self._look()).rstrip("/")
        if endpoint and (known := at_hand(environ)) is not None:
            self._credentials = lambda: known

    def _look(self) -> str:
        """Have botocore find credentials and a region, and the endpoint, which is returned."""
        import botocore.session
        from botocore.exceptions import BotoCoreError

        session = botocore.session.Session()
        try:
            found: Any = session.get_credentials()
            meta: Any = session.create_client(self._service).meta
        except BotoCoreError as error:
            raise self._uncallable(error) from error
        if found is None:
            raise self._uncallable("there are no AWS credentials; give this service a role")
        self._credentials = lambda: self._frozen(found)
        self._region = meta.region_name
        return str(meta.endpoint_url)

    def _frozen(self, found: Any) -> Credentials:
        """Credentials of botocore's as they are now: those of a role end, and botocore looks for new ones before."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            frozen = found.get_frozen_credentials()
        except (BotoCoreError, ClientError, RuntimeError) as error:  # the last where the new ones have ended as well
            raise self._uncallable(f"its credentials cannot be renewed: {error}") from error
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token or "")

    def _uncallable(self, why: object) -> ClusterUnavailable:
        return ClusterUnavailable(f"AWS's service {self._service!r} cannot be called: {why}")

    def signed(self, headers: Mapping[str, str], url: str, payload: bytes) -> dict[str, str]:
        """The headers of a POST request, with the signature where there is somebody to sign for.

        Args:
            headers: The request's.
            url: Its URL.
            payload: Its body.

        Raises:
            ClusterUnavailable: The credentials have ended, and there are no new ones.
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
