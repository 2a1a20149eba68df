"""The command by which `make push` builds images for AWS, with the real Buildx; pushing needs an account."""

from __future__ import annotations

import os
import platform
import secrets
import subprocess
from collections.abc import Iterator

import pytest
from deploy.images import PARTS, PLATFORMS, bake, image_name, remote_tag
from tests.e2e.cluster import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def inspect(image: str, what: str) -> str:
    words = ["docker", "image", "inspect", "--format", what, image]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def tag() -> Iterator[str]:
    tag = f"e2e-{secrets.token_hex(4)}"
    yield tag
    subprocess.run(
        ["docker", "image", "rm", *(f"{image_name(part)}:{tag}" for part in PARTS)], capture_output=True, check=False
    )


def test_images_for_aws_are_built_as_those_for_compose(tag: str) -> None:
    architecture = platform.machine()
    assert architecture in PLATFORMS
    variables = {**os.environ, "TAG": tag, "REVISION": "e2e"}
    built = subprocess.run(bake(architecture), cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    for part in PARTS:
        image = f"{image_name(part)}:{tag}"
        assert inspect(image, "{{.Os}}/{{.Architecture}}") == PLATFORMS[architecture]
        assert len(remote_tag(inspect(image, "{{.Id}}"))) == 12
        assert inspect(image, "{{.Config.User}}") == "wukong"
        # Made of the same layers, but for the last: what runs on AWS is what the tests in containers ran.
        here = inspect(f"{image_name(part)}:latest", "{{json .RootFS.Layers}}")
        assert inspect(image, "{{json .RootFS.Layers}}") == here
