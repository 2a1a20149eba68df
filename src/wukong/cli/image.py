"""`wukong image build` and `wukong image push`: the executors' image with the user's packages, and its way to AWS."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from wukong.aws.registry import Registry
from wukong.cli.commands import Commands
from wukong.cli.docker import Docker
from wukong.cli.exits import Exit, UsageError
from wukong.cli.output import say, say_json

#: The image that is extended, and what it is called in the registry.
IMAGE = "wukong-executor"

#: What the extended one is called here, if nobody says it.
TAG = f"{IMAGE}-extended"

#: What platforms are called in Terraform's variable `architecture`.
_ARCHITECTURES = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}

#: What a deployment's root is told of its images, beside its other files.
VARIABLES = "images.auto.tfvars.json"

#: Digits of an image's id that become its tag in the registry: tags there are never moved.
_DIGITS = 12


def add(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the commands of the noun."""
    verbs = commands.add_parser("image", help="the executors' image").add_subparsers(metavar="VERB", required=True)
    build = verbs.add_parser(
        "build",
        parents=[shared],
        help="extend it with packages",
        description="Builds an image that is the executors' with the packages of a requirements file installed, for "
        "`wukong image push` or for Compose (WUKONG_EXECUTOR_IMAGE). It needs Docker with Buildx.",
    )
    build.add_argument("--requirements", required=True, metavar="FILE", help="what pip shall install")
    build.add_argument("--base", default=IMAGE, help=f"the image to extend (default: {IMAGE})")
    build.add_argument("--tag", default=TAG, help=f"what to call the new one (default: {TAG})")
    build.add_argument(
        "--architecture", choices=sorted(_ARCHITECTURES), help="of the function's processors (default: this machine's)"
    )
    build.set_defaults(run=run_build)
    push = verbs.add_parser(
        "push",
        parents=[shared],
        help="bring it to the deployment's registry",
        description="Pushes an image of executors to the registry on AWS and prints its digest and manifest, which "
        "Terraform is to be told. With --terraform FOLDER it writes both into that root's variables; `terraform "
        "apply` there then makes them the function's and the scheduler's.",
    )
    push.add_argument("image", nargs="?", default=TAG, help=f"the image (default: {TAG})")
    push.add_argument(
        "--registry", default="terraform/registry", metavar="FOLDER", help="the registry's root (default: %(default)s)"
    )
    push.set_defaults(run=run_push)


def dockerfile(base: str) -> str:
    """What makes an image of `base` with the packages of a file beside it."""
    return (
        f"FROM {base}\n"
        "USER root\n"
        "COPY requirements.txt /opt/wukong/requirements-added.txt\n"
        "RUN pip --python /opt/wukong/bin/python install --no-cache-dir --root-user-action=ignore"
        " -r /opt/wukong/requirements-added.txt\n"
        "USER wukong\n"
    )


def run_build(arguments: argparse.Namespace) -> int:
    """Build the image."""
    try:
        requirements = Path(arguments.requirements).read_bytes()
    except OSError as error:
        raise UsageError(
            f"--requirements is {arguments.requirements!r}, which cannot be read: {error.strerror}"
        ) from None
    platform = [f"--platform={_ARCHITECTURES[arguments.architecture]}"] if arguments.architecture else []
    with tempfile.TemporaryDirectory(prefix="wukong-image-") as folder:
        (Path(folder) / "requirements.txt").write_bytes(requirements)
        (Path(folder) / "Dockerfile").write_text(dockerfile(arguments.base))
        # Lambda refuses an index of manifests, which an attestation would make of it.
        Docker().tell(
            f"the image {arguments.tag!r} cannot be built",
            *("buildx", "build", "--provenance=false", "--sbom=false", "--load", *platform),
            *("--tag", arguments.tag, folder),
        )
    if arguments.json:
        say_json({"image": arguments.tag})
    else:
        say(
            f"{arguments.tag} is built. Bring it to AWS with `wukong image push {arguments.tag}`, or give it to "
            f"Compose: WUKONG_EXECUTOR_IMAGE={arguments.tag}"
        )
    return Exit.OK


def run_push(arguments: argparse.Namespace) -> int:
    """Push the image."""
    environment = _environment(arguments.terraform)
    image, docker = arguments.image, Docker()
    what = f"the image {image!r} cannot be pushed"
    try:
        registry = Registry.of(arguments.registry)
    except ValueError as error:
        raise UsageError(str(error)) from None
    repository = registry.repository(IMAGE)
    name = docker.ask(what, "image", "inspect", "--format", "{{.Id}}", image).rpartition(":")[2]
    target = f"{repository}:{name[:_DIGITS]}"
    login = registry.login(repository)
    docker.tell(what, "login", "--username", login.user, "--password-stdin", login.host, given=login.password)
    try:
        docker.tell(what, "tag", image, target)
        docker.tell(what, "push", target)
    finally:
        docker.tell(what, "logout", login.host)
    pushed = json.loads(docker.ask(what, "image", "inspect", "--format", "{{json .RepoDigests}}", target))
    reference = next(found for found in pushed if found.startswith(f"{repository}@"))
    digest = reference.rpartition("@")[2]
    manifest = docker.ask(
        f"the manifest of {image!r} cannot be had",
        *("run", "--rm", "--entrypoint", "python", image, "-m", "wukong_executor.manifest"),
        *("--image-digest", digest),
    )
    variables = {"images": {IMAGE: reference}, "executor_runtime": manifest}
    if environment is not None:
        _write(environment, reference, manifest)
    if arguments.json:
        say_json({"image": target, "digest": digest, "variables": variables})
    elif environment is not None:
        say(f"{reference}\nis in {environment}. `terraform apply` there makes it the function's.")
    else:
        say(
            f"{reference}\n\nTell Terraform, in {VARIABLES} of the deployment's root (--terraform FOLDER does it):\n\n"
            + json.dumps(variables, indent=2)
        )
    return Exit.OK


def _environment(folder: str | None) -> Path | None:
    """The file of variables of a deployment's root."""
    if folder is None:
        return None
    if not any(Path(folder).glob("*.tf")):
        raise UsageError(f"--terraform is {folder!r}, which is no Terraform root: it has no file *.tf")
    return Path(folder) / VARIABLES


def _write(file: Path, reference: str, manifest: str) -> None:
    """Change what a root is told of the executors' image, and nothing else of it."""
    try:
        told = json.loads(file.read_text()) if file.exists() else {}
        told["images"] = {**told.get("images", {}), IMAGE: reference}
        told["executor_runtime"] = manifest
    except (ValueError, AttributeError, TypeError) as error:
        raise UsageError(f"{file} is no file of variables ({error}); remove it, and push all images again") from None
    file.write_text(json.dumps(told, indent=2) + "\n")
