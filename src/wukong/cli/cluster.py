"""`wukong cluster info`, `scale` and `cost`: what a cluster says about itself, its nodes, its price."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from wukong.aws.bill import Line, bill, total
from wukong.aws.containers import containers
from wukong.aws.price_table import MONTH_HOURS
from wukong.aws.price_table import table as table_of
from wukong.cli.commands import Commands
from wukong.cli.connect import connect, deployment
from wukong.cli.exits import Exit, UsageError
from wukong.cli.output import say, say_json, table
from wukong.client import kvs_scale
from wukong.prices import dollars
from wukong.rpc.v1 import cluster_pb2, scheduler_pb2

#: The jobs whose cost is summed up: as many as a scheduler lists.
_JOBS = 10_000


def add(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the commands of the noun."""
    verbs = commands.add_parser("cluster", help="about the cluster").add_subparsers(metavar="VERB", required=True)
    command = verbs.add_parser("info", parents=[shared], help="version, size and packages of the cluster")
    command.set_defaults(run=info)
    command = verbs.add_parser(
        "scale",
        parents=[shared],
        help="change the number of KVS nodes",
        description="Has the scheduler start or end nodes of the key-value store, on AWS, and waits for them. Fewer "
        "than there are is refused while a job or a value needs them.",
    )
    command.add_argument("--kvs", type=int, required=True, metavar="N", help="how many there shall be; 0 for none")
    command.set_defaults(run=scale)
    command = verbs.add_parser(
        "cost",
        parents=[shared],
        help="what it costs while nothing runs, and what its jobs did",
        description="With --terraform FOLDER: what the deployment costs an hour while nothing runs on it, at AWS's "
        "list prices. With or without: what the jobs that the cluster knows have cost.",
    )
    command.set_defaults(run=cost)


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


def scale(arguments: argparse.Namespace) -> int:
    """Change the number of nodes."""
    if not 0 <= arguments.kvs < 2**32:
        raise UsageError(f"--kvs is {arguments.kvs}; it must be a number of nodes from 0 on")
    last: scheduler_pb2.KvsScale | None = None

    def tell(standing: scheduler_pb2.KvsScale) -> None:
        nonlocal last
        if standing != last and not arguments.json:
            say(f"{standing.registered} nodes answer, {standing.running} run, there shall be {standing.wanted}")
        last = standing

    with connect(arguments) as connection:
        kvs_scale.scale(connection, arguments.kvs, at_least=False, told=tell)
    if arguments.json:
        say_json({"kvs_nodes": arguments.kvs})
    else:
        say(f"The key-value store has {arguments.kvs} nodes." if arguments.kvs else "The key-value store has no nodes.")
    return Exit.OK


def cost(arguments: argparse.Namespace) -> int:
    """Print what the cluster costs."""
    lines: list[Line] | None = None
    region, prices = "", table_of("")
    if arguments.terraform:
        there = deployment(arguments)
        region, prices = there.region, table_of(there.region)
        lines = bill(containers(there.ecs_cluster, there.region), there.billed, prices)
    with connect(arguments) as connection:
        request = scheduler_pb2.ListJobsRequest(limit=_JOBS)
        jobs = connection.call(connection.scheduler.ListJobs, request).jobs
    spent = sum(job.report.cost_usd for job in jobs)
    if arguments.json:
        say_json(
            {
                "prices": {"region": prices.region, "date": prices.date},
                "region": region,
                "idle_usd_per_hour": None if lines is None else total(lines),
                "parts": None if lines is None else [asdict(line) for line in lines],
                "jobs": len(jobs),
                "jobs_usd": spent,
            }
        )
        return Exit.OK
    if lines is not None:
        rows = [(line.what, f"{line.count:g}", _price(line.hourly), _price(line.monthly)) for line in lines]
        rows.append(("together", "", _price(total(lines)), _price(total(lines) * MONTH_HOURS)))
        say(table(("PART", "COUNT", "AN HOUR", "A MONTH"), rows))
        elsewhere = "" if region == prices.region else f" {region} has others: there is no table of it here."
        say(
            f"\nAWS's list prices of {prices.region}, {prices.date}, without traffic, storage, log lines, free tiers "
            f"and taxes.{elsewhere}\n"
        )
    average = f", {dollars(spent / len(jobs))} each on average" if jobs else ""
    say(f"jobs: {len(jobs):,} that the cluster knows have cost {dollars(spent)} for executors{average}.")
    return Exit.OK


def _price(usd: float | None) -> str:
    return "?" if usd is None else dollars(usd)


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
