"""Which images AWS runs, and what they are called on the way there. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.failed import Failed

#: The parts that run on AWS, as Bake calls them. The metadata store runs in the image of the KVS nodes.
PARTS = ("executor", "invoker", "scheduler", "kvs-proxy", "kvs-node")

#: Lambda's names of architectures, and Docker's.
PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}

_REPOSITORY = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<name>.+)")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of ECR.

    Attributes:
        host: Where Docker logs in.
        account: The number of its registry.
        region: Where it is.
        name: Its name in the registry.
    """

    host: str
    account: str
    region: str
    name: str

    @classmethod
    def parse(cls, url: str) -> Repository:
        """From the URL that Terraform tells, which has no scheme.

        Raises:
            Failed: It is not one of ECR.
        """
        found = _REPOSITORY.fullmatch(url)
        if found is None:
            raise Failed(f"{url!r} is no repository of ECR (ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME)")
        return cls(url.partition("/")[0], found["account"], found["region"], found["name"])

    @property
    def url(self) -> str:
        """What images are called in it, without tag."""
        return f"{self.host}/{self.name}"


def image_name(part: str) -> str:
    """The name of a part's image."""
    return f"wukong-{part}"


def local_tag(architecture: str) -> str:
    """The tag of what is built here: another one than Compose's images have."""
    return f"aws-{architecture}"


def remote_tag(image_id: str) -> str:
    """The tag in the registry, from the image's id: what was pushed once is known again, and no tag ever moves."""
    algorithm, _, digits = image_id.strip().partition(":")
    if algorithm != "sha256" or not re.fullmatch("[0-9a-f]{64}", digits):
        raise Failed(f"Docker says {image_id.strip()!r} where the id of an image was expected")
    return digits[:12]


def bake(architecture: str) -> list[str]:
    """The command that builds all of them.

    Lambda takes the manifest of one image, and refuses an index, which is what images with attestations are.

    Raises:
        Failed: There is no such architecture.
    """
    if architecture not in PLATFORMS:
        raise Failed(f"the architecture is {' or '.join(PLATFORMS)}, and not {architecture!r}")
    return [
        *("docker", "buildx", "bake", "--load", "--provenance=false", "--sbom=false"),
        *("--set", f"*.platform={PLATFORMS[architecture]}"),
        *PARTS,
    ]


def repositories(outputs: Mapping[str, str]) -> dict[str, Repository]:
    """The repository of each image, from the registry's output.

    Raises:
        Failed: One is missing, or they are not all in one registry.
    """
    names = [image_name(part) for part in PARTS]
    if missing := [name for name in names if name not in outputs]:
        raise Failed(f"the registry has no repository for {', '.join(missing)}: apply terraform/registry again")
    found = {name: Repository.parse(outputs[name]) for name in names}
    if len(hosts := {one.host for one in found.values()}) > 1:
        raise Failed(f"the repositories are in several registries: {', '.join(sorted(hosts))}")
    return found
