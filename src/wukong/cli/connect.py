"""The connection of a command to the cluster that its options or the environment name."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator

from wukong import settings
from wukong.aws.deployment import Deployment
from wukong.cli.exits import UsageError
from wukong.client.address import Where, locate
from wukong.client.connection import Connection

#: Seconds to go on trying while the cluster does not answer.
PATIENCE = 10.0


def where(arguments: argparse.Namespace) -> Where:
    """Address, token and TLS of the cluster.

    Raises:
        UsageError: One of them is not given, or is malformed.
    """
    if arguments.terraform:
        if arguments.address or arguments.token:
            raise UsageError("--terraform says where the cluster is; leave --address and --token away")
        return of_deployment(deployment(arguments))
    address = arguments.address or os.environ.get(settings.ADDRESS.name)
    if not address:
        raise UsageError(f"which cluster? Give --address HOST:PORT or set {settings.ADDRESS.name}; `wukong up` has one")
    token = arguments.token or os.environ.get(settings.TOKEN.name)
    if not token:
        raise UsageError(f"no token for {address}: give --token or set {settings.TOKEN.name}")
    try:
        return locate(address, token)
    except ValueError as error:
        raise UsageError(str(error)) from None


def deployment(arguments: argparse.Namespace) -> Deployment:
    """The deployment of the Terraform root that is named.

    Raises:
        UsageError: None is, or it is none of Terraform's.
        ClusterUnavailable: Nothing was applied there.
    """
    try:
        return Deployment.of(arguments.terraform)
    except ValueError as error:
        raise UsageError(f"--terraform: {error}") from None


def of_deployment(there: Deployment) -> Where:
    """Address, token and TLS of a deployment.

    Raises:
        AccessDenied: The token may not be read.
        ClusterUnavailable: It cannot be read.
    """
    return locate(there.address, there.token(), there.ca or None)


@contextlib.contextmanager
def connect(arguments: argparse.Namespace) -> Iterator[Connection]:
    """A connection for the block.

    Raises:
        UsageError: It is not said to which cluster.
        ClusterUnavailable: Nothing answers there.
        AccessDenied: The token is wrong, or the two sides do not agree on TLS.
    """
    there = where(arguments)
    with contextlib.closing(Connection(there.address, there.token, PATIENCE, tls=there.tls)) as connection:
        yield connection
