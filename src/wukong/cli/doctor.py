"""`wukong doctor`: whether this machine and the cluster work together, and what to do where they do not."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.metadata
import operator
import platform
import secrets
import time
import warnings
from collections.abc import Iterator

import wukong
from wukong import settings
from wukong.cli.check import Check, Outcome, failed, nodes, verdict, versions
from wukong.cli.commands import Commands
from wukong.cli.connect import where
from wukong.cli.output import say, say_json
from wukong.client.address import Where
from wukong.client.connection import Connection
from wukong.client.stores import addresses
from wukong.errors import ClusterUnavailable, UnknownJob, WukongError
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import cluster_pb2, data_pb2

#: Seconds that each part has to answer, and the first job to end.
_PATIENCE = 5.0
_FIRST_RESULT = 60.0

#: Seconds from which on a job of one task is slow, though its environment is there.
_SLOW = 5.0


def add(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the command."""
    command = commands.add_parser(
        "doctor",
        parents=[shared],
        help="check versions, reachability and the time to a first result",
        description="Checks that the scheduler, the proxy and the stores answer, compares the versions of Python and "
        "packages, and runs two jobs of one task, the first of them perhaps in a new environment. Says what to do "
        "about what it finds. The exit code is that of the first check that failed.",
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look at everything, and tell each finding when it is known."""
    checks = []
    for check in _checks(where(arguments)):
        checks.append(check)
        if not arguments.json:
            say(check.lines())
    if arguments.json:
        say_json([check.as_dict() for check in checks])
    return verdict(checks)


def _checks(there: Where) -> Iterator[Check]:
    address = there.address
    begun = time.monotonic()
    try:
        connection = Connection(address, there.token, _PATIENCE, tls=there.tls)
    except WukongError as error:
        yield failed("scheduler", error)
        return
    with contextlib.closing(connection):
        cluster = connection.cluster
        yield Check("scheduler", Outcome.OK, f"{address} answers in {_since(begun)}, Wukong {cluster.version}")
        proxy = _proxy(connection)
        yield proxy
        yield _stores(cluster)
        yield nodes(cluster.kvs_nodes, cluster.ring_version)
        yield _versions(cluster)
        if proxy.outcome is Outcome.OK:  # values come through it
            yield from _results(there)


def _proxy(connection: Connection) -> Check:
    # Any answer but silence or a refusal will do: no job has this id.
    request = data_pb2.GetResultRequest(job_id=f"doctor-{secrets.token_hex(8)}")

    def ask() -> None:
        with contextlib.suppress(UnknownJob), wukong_errors(connection.data_address):
            for _ in connection.data.GetResult(request, timeout=_PATIENCE):
                pass

    begun = time.monotonic()
    try:
        connection.repeat(ask)
    except ClusterUnavailable as error:
        advice = (
            "look whether the proxy runs and its port is published (in containers: `docker compose ps kvs-proxy`), and "
            f"whether this is where clients reach it ({settings.PUBLIC_PROXY_ADDRESS.name} at the scheduler)"
        )
        return dataclasses.replace(failed("proxy", error), advice=advice)
    except WukongError as error:
        return failed("proxy", error)
    return Check("proxy", Outcome.OK, f"{connection.data_address} answers in {_since(begun)}")


def _stores(cluster: cluster_pb2.Cluster) -> Check:
    if not cluster.HasField("direct"):
        return Check("stores", Outcome.OK, "not for clients of this cluster; values go through the proxy")
    direct = cluster.direct
    begun = time.monotonic()
    for door in addresses(direct):
        store = door.connection(_PATIENCE)
        try:
            with contextlib.closing(store):
                store.call("PING")
        except WukongError as error:
            return Check(
                "stores",
                Outcome.WARNING,
                f"{door.address} cannot be reached ({error})",
                "values go through the proxy, which is slower; open the way to the stores if that matters",
            )
    nodes = len(direct.ring.nodes)
    return Check("stores", Outcome.OK, f"the metadata store and all KVS nodes ({nodes}) answer in {_since(begun)}")


def _versions(cluster: cluster_pb2.Cluster) -> Check:
    there = {"python": cluster.runtime.python, "wukong": cluster.version, **cluster.runtime.packages}
    here = {"python": platform.python_version()}
    for name in there:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            here.setdefault(name, importlib.metadata.version(name))
    check = versions(here, there)
    digest = cluster.runtime.image_digest
    return dataclasses.replace(check, detail=f"{check.detail}; the executors' image is {digest}") if digest else check


def _results(there: Where) -> Iterator[Check]:
    """Run one task as a program would, and another one: the scheduler checks the versions then, too."""
    first, then = "first result", "next result"
    begun = time.monotonic()
    name = first
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those about versions have been told
            made = wukong.Client(there.url, token=there.token, timeout=_PATIENCE, **there.files)
            with contextlib.closing(made) as client:
                _add(client)
                kind = "new" if client.report().cold_starts else "used"
                took = _since(begun)
                yield Check(
                    first,
                    Outcome.OK,
                    f"a job of one task took {took}, with the client's start, in a {kind} environment",
                )
                name, begun = then, time.monotonic()
                _add(client)
    except WukongError as error:
        yield failed(name, error)
        return
    seconds = time.monotonic() - begun
    if seconds > _SLOW:
        advice = "let jobs that run end, or give the cluster more processors or environments"
        yield Check(then, Outcome.WARNING, f"another one took {seconds:.1f} s", advice)
    else:
        yield Check(then, Outcome.OK, f"another one took {seconds * 1000:.0f} ms")


def _add(client: wukong.Client) -> None:
    value = client.get({"doctor": (operator.add, 1, 1)}, "doctor", deadline=_FIRST_RESULT)
    if value != 2:
        raise WukongError(f"1 + 1 came back as {value!r}")


def _since(begun: float) -> str:
    return f"{(time.monotonic() - begun) * 1000:.0f} ms"
