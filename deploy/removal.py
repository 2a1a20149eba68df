"""Taking an environment away, so that nothing of it is paid for any more."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from deploy.certificate import withdraw
from deploy.environment import Environment
from deploy.failed import Failed
from deploy.leftovers import remove_log_groups, still_listed
from deploy.pins import FILE, Pins
from deploy.terraform import Terraform


def remove(environment: Environment, *, approved: bool) -> None:
    """Destroy it, and the registry with it where no other environment of this checkout needs that.

    Raises:
        Failed: A program failed, or the file of the images is gone while there is something to destroy.
    """
    terraform = Terraform(environment.folder, approved=approved)
    terraform.init()
    client = terraform.outputs().get("client")
    if Pins.read(environment.folder) is not None:
        terraform.destroy()
    elif not terraform.is_empty():
        raise Failed(f"{environment.name} is deployed, but its {FILE} is not here: `make push` writes it again")
    withdraw(environment)
    if client:
        _look_back(client)
    if others := environment.others():
        _say(f"the registry stays: {', '.join(others)} has its images there")
    else:
        registry = Terraform(environment.registry, approved=approved)
        registry.init()
        registry.destroy()
    (environment.folder / FILE).unlink(missing_ok=True)


def _look_back(client: Mapping[str, str]) -> None:
    for name in remove_log_groups(client):
        _say(f"removed the log group {name}, which its service had made itself")
    if listed := still_listed(client):
        _say("AWS still lists, some of it for hours after its end:")
        for arn in listed:
            _say(f"  {arn}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
