"""Signatures of requests to AWS, version 4. Pure: the time is given.

Source: AWS Identity and Access Management, User Guide, "Create a signed AWS API request". botocore makes the same ones,
but takes a third of a second to import.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_PORTS: Final = {"http": 80, "https": 443}


class Credentials(NamedTuple):
    """Whose requests they are.

    Attributes:
        key: The id of the access key.
        secret: The secret access key.
        token: The session's token; empty for keys that do not expire.
    """

    key: str
    secret: str
    token: str = ""


def at_hand(environ: Mapping[str, str]) -> Credentials | None:
    """The credentials that stand in environment variables, as in every Lambda function; None where there are none."""
    key, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
    return Credentials(key, secret, environ.get("AWS_SESSION_TOKEN", "")) if key and secret else None


def host(url: str) -> str:
    """The header "Host" of requests to a URL, as HTTP clients send it: with the port unless that is the usual one."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    named = f"[{name}]" if ":" in name else name
    usual = parts.port is None or parts.port == _PORTS.get(parts.scheme)
    return named if usual else f"{named}:{parts.port}"


def sign(
    headers: Mapping[str, str],
    *,
    url: str,
    payload: bytes,
    credentials: Credentials,
    region: str,
    service: str,
    when: datetime,
) -> dict[str, str]:
    """The headers of a POST request with those added that sign it.

    Args:
        headers: The request's. All of them are signed.
        url: The request's, encoded, without a query.
        payload: Its body.
        credentials: Who signs.
        region: Where the service is.
        service: The name that it signs under, such as "lambda".
        when: Now, in UTC.
    """
    parts = urlsplit(url)
    stamp = when.strftime("%Y%m%dT%H%M%SZ")
    signed = {**headers, "X-Amz-Date": stamp}
    if credentials.token:
        signed["X-Amz-Security-Token"] = credentials.token
    lines = {name.lower(): " ".join(value.split()) for name, value in {**signed, "Host": host(url)}.items()}
    names = ";".join(sorted(lines))
    canonical = "\n".join(
        (
            "POST",
            quote(parts.path or "/", safe="/~"),
            "",
            *(f"{name}:{lines[name]}" for name in sorted(lines)),
            "",
            names,
            sha256(payload).hexdigest(),
        )
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join((_ALGORITHM, stamp, scope, sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{credentials.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    said = f"{_ALGORITHM} Credential={credentials.key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**signed, "Authorization": said}
