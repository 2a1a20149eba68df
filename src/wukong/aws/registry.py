"""The registry of images that `terraform/registry` makes, and how to log in there."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass

from wukong.aws import account, terraform
from wukong.errors import ClusterUnavailable


@dataclass(frozen=True, slots=True)
class Login:
    """How Docker is let in.

    Attributes:
        host: Where.
        user: As whom.
        password: It is good for twelve hours.
    """

    host: str
    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Registry:
    """Repositories of images.

    Attributes:
        region: Where they are.
        repositories: Image -> URL of its repository.
    """

    region: str
    repositories: Mapping[str, str]

    @classmethod
    def of(cls, folder: str | os.PathLike[str]) -> Registry:
        """The registry that a Terraform root has made.

        Args:
            folder: The root's, such as terraform/registry.

        Raises:
            ValueError: It is none of Terraform's.
            ClusterUnavailable: Nothing was applied there, or no registry.
        """
        told = terraform.outputs(folder)
        region, repositories = told.get("region"), told.get("repositories")
        if not isinstance(region, str) or not isinstance(repositories, dict):
            raise ClusterUnavailable(
                f"the root {str(folder)!r} makes no registry: it has no outputs 'repositories' and 'region' as "
                "terraform/registry has"
            )
        return cls(region, repositories)

    def repository(self, image: str) -> str:
        """The URL of an image's repository.

        Raises:
            ClusterUnavailable: It has none.
        """
        if image not in self.repositories:
            there = ", ".join(sorted(self.repositories)) or "none"
            raise ClusterUnavailable(f"the registry has no repository for {image!r}; there are {there}")
        return self.repositories[image]

    def login(self, repository: str) -> Login:
        """How to log in where a repository is, with the user's AWS credentials.

        Raises:
            AccessDenied: They may not, or there are none.
            ClusterUnavailable: AWS does not answer.
        """
        host = repository.partition("/")[0]
        with (
            account.asking(f"nobody is let in at {host}", "ecr:GetAuthorizationToken"),
            account.client("ecr", self.region) as ecr,
        ):
            answer = ecr.get_authorization_token()
        token = base64.b64decode(answer["authorizationData"][0]["authorizationToken"]).decode()
        user, _, password = token.partition(":")
        return Login(host, user, password)
