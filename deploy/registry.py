"""The repositories of ECR: logging Docker in, and what they hold."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import boto3
from botocore.exceptions import ClientError

from deploy.images import Repository
from deploy.programs import run


class Registry:
    """The registry of one account in one region.

    Args:
        repositories: At least one, by the names of their images.
    """

    def __init__(self, repositories: Mapping[str, Repository]) -> None:
        self._repositories = repositories
        first = next(iter(repositories.values()))
        self._host = first.host
        self._ecr = boto3.client("ecr", region_name=first.region)

    def log_in(self) -> None:
        """Let Docker push for the next twelve hours; it keeps the password where it keeps its others."""
        (entry,) = self._ecr.get_authorization_token()["authorizationData"]
        user, _, password = base64.b64decode(entry["authorizationToken"]).decode().partition(":")
        run(["docker", "login", "--username", user, "--password-stdin", self._host], text=password)

    def digest(self, image: str, tag: str) -> str | None:
        """The digest of what has this tag; None where nothing has."""
        repository = self._repositories[image]
        try:
            found = self._ecr.describe_images(
                registryId=repository.account, repositoryName=repository.name, imageIds=[{"imageTag": tag}]
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ImageNotFoundException":
                return None
            raise
        digest: str = found["imageDetails"][0]["imageDigest"]
        return digest
