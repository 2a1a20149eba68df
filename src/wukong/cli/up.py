"""`wukong up`: a cluster in the foreground, embedded or in containers."""

from __future__ import annotations

import argparse
import signal
import time
import warnings

import wukong
from wukong import settings
from wukong.cli import compose_up
from wukong.cli.commands import Commands
from wukong.cli.exits import Exit, UsageError
from wukong.cli.interrupts import on_interrupt
from wukong.cli.output import say, say_json

#: Seconds between two looks whether the cluster is still there.
_LOOK = 1.0


def add(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the command."""
    command = commands.add_parser(
        "up",
        parents=[shared],
        help="start a cluster and keep it until Ctrl-C",
        description="Starts an embedded cluster, prints its address and token, and keeps it until Ctrl-C or SIGTERM. "
        "--address says where it listens (by default 127.0.0.1 and any free port). With --compose the cluster is in "
        "containers; images that are missing are built.",
    )
    command.add_argument(
        "--environments", type=int, help="most executors at once (default: one per core; in containers 4)"
    )
    command.add_argument("--memory-mb", type=int, help="memory of one executor (default: 2048)")
    command.add_argument("--kvs-nodes", type=int, help="nodes of the key-value store (default: 1; in containers 2)")
    command.add_argument("--compose", action="store_true", help="in containers, with Docker Compose")
    command.add_argument("--file", help="with --compose: the Compose file (default: the checkout's compose.yaml)")
    command.add_argument("--detach", action="store_true", help="with --compose: return when it is up")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Keep a cluster until the process is told to end."""
    if arguments.terraform:
        raise UsageError("`up` starts a cluster here; a deployment on AWS is started by Terraform")
    if arguments.token:
        raise UsageError("`up` makes a token of its own and prints it; leave --token away")
    if arguments.compose:
        return compose_up.run(arguments)
    if arguments.detach or arguments.file:
        raise UsageError("--detach and --file are for --compose; an embedded cluster ends with its program")
    # Both as an exception: what has been started is ended on the way out.
    end = signal.default_int_handler
    try:
        with on_interrupt(end), on_interrupt(end, signal.SIGTERM), _cluster(arguments) as cluster:
            if arguments.json:
                say_json({"address": cluster.address, "token": cluster.token}, line=True)
            else:
                say(
                    f"Wukong is up at {cluster.address}. In another terminal:\n\n"
                    f"  export {settings.ADDRESS.name}={cluster.address} {settings.TOKEN.name}={cluster.token}\n"
                    "  wukong doctor\n\n"
                    "Ctrl-C ends it."
                )
            while True:
                time.sleep(_LOOK)
                cluster.check()
    except KeyboardInterrupt:
        return Exit.OK


def _cluster(arguments: argparse.Namespace) -> wukong.LocalCluster:
    try:
        with warnings.catch_warnings():
            # Another address than the one asked for would be no use to who is told it in another terminal.
            warnings.simplefilter("error", wukong.LegacyOptionWarning)
            return wukong.LocalCluster(
                arguments.address,
                environments=arguments.environments,
                memory_mb=2048 if arguments.memory_mb is None else arguments.memory_mb,
                kvs_nodes=1 if arguments.kvs_nodes is None else arguments.kvs_nodes,
            )
    except ValueError as error:
        raise UsageError(str(error)) from None
    except wukong.LegacyOptionWarning:
        raise UsageError(
            f"`up` listens on this machine's loopback interface only, because it speaks without TLS, and "
            f"{arguments.address} is not there. Give --address 127.0.0.1:PORT, or leave it away for any free port"
        ) from None
