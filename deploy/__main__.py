"""`python -m deploy certificate|push|apply|destroy --environment dev`: what the make targets call."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from deploy.certificate import certify
from deploy.environment import Environment
from deploy.failed import Failed
from deploy.images import PLATFORMS
from deploy.push import push
from deploy.removal import remove
from deploy.terraform import Terraform
from deploy.vault import fill, start_again
from wukong.errors import WukongError


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that `words`, by default the process's arguments, say. Returns its exit code."""
    parser = argparse.ArgumentParser(prog="deploy", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=["certificate", "push", "apply", "destroy"])
    parser.add_argument("--environment", required=True, help="a folder of terraform/environments")
    parser.add_argument("--architecture", choices=list(PLATFORMS), help="of the functions; by default as it was")
    parser.add_argument("--rotate", action="store_true", help="make every secret anew; what runs then is lost")
    parser.add_argument("--yes", action="store_true", help="change the environment without asking")
    arguments = parser.parse_args(words)
    try:
        environment = Environment.find(arguments.environment)
        match arguments.verb:
            case "certificate":
                registry = Terraform(environment.registry, approved=True)
                registry.init()
                registry.apply()
                certify(environment, registry.outputs()["region"])
            case "push":
                push(environment, arguments.architecture)
            case "apply":
                apply(environment, arguments.architecture, approved=arguments.yes, rotate=arguments.rotate)
            case "destroy":
                remove(environment, approved=arguments.yes)
    except Failed as failed:
        print(f"deploy: {failed}", file=sys.stderr)
        return 1
    except WukongError as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"deploy: AWS refuses: {error}", file=sys.stderr)
        return 1
    return 0


def apply(environment: Environment, architecture: str | None, *, approved: bool, rotate: bool) -> None:
    """The registry, the images, the environment, its secrets. Doing it again changes only what has changed.

    Raises:
        Failed: A step failed; those before it stand, and are not done again the next time.
    """
    registry = Terraform(environment.registry, approved=True)
    registry.init()
    registry.apply()
    push(environment, architecture)
    cluster = Terraform(environment.folder, approved=approved)
    cluster.init()
    cluster.apply()
    outputs = cluster.outputs()
    client = outputs["client"]
    places = outputs["secrets"]
    changed, known = fill(places["arns"], places["variables"], client, rotate=rotate)
    if changed:
        print(f"new secrets: {', '.join(changed)}", file=sys.stderr)
    if known:
        print(f"started again with them: {', '.join(start_again(client))}", file=sys.stderr)
    print(f'Client.from_terraform("terraform/environments/{environment.name}") is a client of it.')


if __name__ == "__main__":
    sys.exit(main())
