"""Images to the registry, and their digests to the environment."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext

from deploy.environment import Environment
from deploy.failed import Failed
from deploy.images import PARTS, bake, image_name, local_tag, remote_tag, repositories
from deploy.pins import Pins
from deploy.programs import ask, run
from deploy.registry import Registry
from deploy.terraform import Terraform


def push(environment: Environment, architecture: str | None) -> Pins:
    """Build, push what the registry does not have, and write the digests.

    Args:
        environment: What is to run them.
        architecture: Of the functions; None for the one of the last push, and x86_64 the first time.

    Raises:
        Failed: There is no registry, or a program failed.
    """
    before = Pins.read(environment.folder)
    chosen = architecture or (before.architecture if before else "x86_64")
    command = bake(chosen)
    terraform = Terraform(environment.registry, approved=True)
    terraform.init()
    outputs = terraform.outputs()
    if "repositories" not in outputs:
        raise Failed("there is no registry yet: `make deploy` makes it, or `terraform apply` in terraform/registry")
    places = repositories(outputs["repositories"])
    registry = Registry(places)
    revision = ask(["git", "-C", str(environment.terraform), "rev-parse", "HEAD"]).strip()
    run(command, {"TAG": local_tag(chosen), "REVISION": revision})
    # As in Compose: the user's own image, with packages of theirs.
    executor = os.environ.get("WUKONG_EXECUTOR_IMAGE") or f"{image_name('executor')}:{local_tag(chosen)}"
    built = {
        image_name(part): executor if part == "executor" else f"{image_name(part)}:{local_tag(chosen)}"
        for part in PARTS
    }
    tags = {name: remote_tag(_image_id(local)) for name, local in built.items()}
    missing = [name for name, tag in tags.items() if registry.digest(name, tag) is None]
    with registry.logged_in() if missing else nullcontext():
        for name in missing:
            remote = f"{places[name].url}:{tags[name]}"
            run(["docker", "tag", built[name], remote])
            run(["docker", "push", "--quiet", remote])
    images = {}
    for name, tag in tags.items():
        digest = registry.digest(name, tag)
        if digest is None:
            raise Failed(f"{name} was pushed with the tag {tag}, but the registry does not have it")
        images[name] = f"{places[name].url}@{digest}"
        print(images[name], flush=True)
    pins = Pins(chosen, images, _manifest(executor, images["wukong-executor"]))
    print(f"written to {pins.write(environment.folder)}", file=sys.stderr)
    return pins


def _image_id(local: str) -> str:
    return ask(["docker", "image", "inspect", "--format", "{{.Id}}", local])


def _manifest(local: str, pinned: str) -> str:
    digest = pinned.partition("@")[2]
    words = ["docker", "run", "--rm", "--network=none", "--entrypoint", "python", local]
    return ask([*words, "-m", "wukong_executor.manifest", "--image-digest", digest]).strip()
