"""Calls of AWS's services with the user's own credentials, by boto3, and what is said where they fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from wukong.errors import AccessDenied, ClusterUnavailable

#: What AWS calls it where somebody may not.
_DENIED = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})
#: What it says of credentials that are none, or are none any more.
_STRANGERS = frozenset(
    {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "ExpiredTokenException"}
)
_CREDENTIALS = "log in (`aws configure`, `aws sso login`), or set AWS_PROFILE, and try again"


@contextmanager
def client(service: str, region: str) -> Iterator[Any]:
    """A client of boto3 for the block, which is within one of `asking`."""
    import boto3

    with closing(boto3.session.Session(region_name=region).client(service)) as made:
        yield made


@contextmanager
def asking(what: str, permission: str) -> Iterator[None]:
    """The block asks AWS for something.

    Args:
        what: What fails where that fails, for the error: "the token cannot be read".
        permission: What it takes: "secretsmanager:GetSecretValue on ...".

    Raises:
        AccessDenied: Nobody may ask with these credentials.
        ClusterUnavailable: AWS answers another error, or nothing; or boto3 is not installed.
    """
    try:
        import boto3  # noqa: F401  # before anything is asked
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            NoCredentialsError,
            PartialCredentialsError,
            ProfileNotFound,
            TokenRetrievalError,
        )
    except ModuleNotFoundError:
        raise ClusterUnavailable(f"{what}: boto3 is not installed here; pip install 'wukong[aws]'") from None

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _DENIED:
            raise AccessDenied(f"{what}: {error}. The user or role of these credentials needs {permission}") from error
        if code in _STRANGERS:
            raise AccessDenied(f"{what}: {error}. These credentials are not valid; {_CREDENTIALS}") from error
        raise ClusterUnavailable(f"{what}: {error}") from error
    except (NoCredentialsError, PartialCredentialsError, ProfileNotFound, TokenRetrievalError) as error:
        raise AccessDenied(f"{what}: {error}; {_CREDENTIALS}") from error
    except BotoCoreError as error:
        raise ClusterUnavailable(f"{what}: {error}") from error
