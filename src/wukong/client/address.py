"""Where a cluster is: its address and token, from arguments or from the environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol

from wukong import settings


class Cluster(Protocol):
    """What a client needs to know of a cluster object such as `LocalCluster`."""

    @property
    def address(self) -> str:
        """host:port of the scheduler."""

    @property
    def token(self) -> str:
        """The bearer token of its calls."""


def locate(address: Cluster | str | None, token: str | None) -> tuple[str, str]:
    """host:port and token of the cluster that the user means.

    Args:
        address: A cluster object, "host:port", or None for the environment's.
        token: The token, or None for the cluster object's or the environment's.

    Raises:
        ValueError: There is no address or token, or it is malformed.
    """
    if address is None:
        where = os.environ.get(settings.ADDRESS.name, "")
        if not where:
            raise ValueError(
                f"no cluster: pass a LocalCluster or 'host:port', or set {settings.ADDRESS.name} "
                f"({settings.ADDRESS.meaning})"
            )
    elif isinstance(address, str):
        where = address
    elif hasattr(address, "address"):
        where, token = address.address, address.token if token is None else token
    else:
        raise ValueError(f"the address is {address!r}; it must be a LocalCluster, 'host:port', or None")
    host, _, port = where.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"the address {where!r} is not of the form host:port")
    secret = settings.TOKEN.find() if token is None else token
    if not secret:
        raise ValueError(f"no token for {where}: pass token=..., or set {settings.TOKEN.name}")
    if not isinstance(secret, str):
        raise ValueError(f"the token is of the type {type(secret).__name__}; it must be a text")
    return where, secret


def checker(address: object) -> Callable[[], None]:
    """What raises `ClusterUnavailable` when a cluster object knows that its cluster is gone for good.

    A cluster object may have a method `check` for that, as `LocalCluster` has; nothing is known of any other. What is
    returned keeps the cluster object alive, with which an embedded cluster ends: in `Client(LocalCluster())` nobody
    else does.
    """
    method: Callable[[], None] | None = getattr(address, "check", None)
    return method or _know_nothing


def _know_nothing() -> None:
    return
