"""The repositories of ECR: logging Docker in, and what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import boto3
from botocore.exceptions import ClientError

from deploy.images import Repository
from deploy.programs import run
from wukong.aws import registry


class Registry:
    """The registry of one account in one region.

    Args:
        repositories: At least one, by the names of their images.
    """

    def __init__(self, repositories: Mapping[str, Repository]) -> None:
        self._repositories = repositories
        self._region = next(iter(repositories.values())).region
        self._ecr = boto3.client("ecr", region_name=self._region)

    @contextmanager
    def logged_in(self) -> Iterator[None]:
        """Docker may push for as long as the block takes, and keeps no password afterwards.

        Raises:
            AccessDenied: Nobody may with these credentials, or there are none.
            ClusterUnavailable: AWS does not answer.
            Failed: Docker does not do it.
        """
        login = self._login()
        run(["docker", "login", "--username", login.user, "--password-stdin", login.host], text=login.password)
        try:
            yield
        finally:
            run(["docker", "logout", login.host])

    def _login(self) -> registry.Login:
        urls = {name: one.url for name, one in self._repositories.items()}
        return registry.Registry(self._region, urls).login(next(iter(urls.values())))

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
