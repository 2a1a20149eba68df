"""`wukong cluster info`: what a cluster says about itself."""

from __future__ import annotations

import argparse

from wukong.cli.commands import Commands
from wukong.cli.connect import connect
from wukong.cli.exits import Exit
from wukong.cli.output import say, say_json
from wukong.rpc.v1 import cluster_pb2


def add(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the commands of the noun."""
    verbs = commands.add_parser("cluster", help="about the cluster").add_subparsers(metavar="VERB", required=True)
    command = verbs.add_parser("info", parents=[shared], help="version, size and packages of the cluster")
    command.set_defaults(run=info)


def info(arguments: argparse.Namespace) -> int:
    """Print what the scheduler says."""
    with connect(arguments) as connection:
        described = describe(connection.address, connection.cluster)
    if arguments.json:
        say_json(described)
        return Exit.OK
    packages = described.pop("packages")
    assert isinstance(packages, dict)
    for name, value in described.items():
        say(f"{name.replace('_', ' '):<14} {value}")
    say(f"{'packages':<14} {', '.join(f'{name} {version}' for name, version in sorted(packages.items()))}")
    return Exit.OK


def describe(address: str, cluster: cluster_pb2.Cluster) -> dict[str, object]:
    """A cluster without its secrets."""
    return {
        "address": address,
        "version": cluster.version,
        "parallelism": cluster.parallelism,
        "kvs_nodes": cluster.kvs_nodes,
        "proxy": cluster.data_endpoint,
        "stores": "direct" if cluster.HasField("direct") else "through the proxy",
        "python": cluster.runtime.python,
        "image_digest": cluster.runtime.image_digest,
        "packages": dict(cluster.runtime.packages),
    }
