"""The connection of a command to the cluster that its options or the environment name."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator

from wukong import settings
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
