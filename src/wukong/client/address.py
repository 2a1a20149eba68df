"""Where a cluster is: its address, token and TLS, from arguments or from the environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypedDict

from wukong import settings
from wukong.errors import InvalidSetting
from wukong.rpc.tls import CallerTls

#: How an address may begin: with TLS, and without.
_TLS, _PLAIN = "grpcs://", "grpc://"
_FILES = ("ca_file", "certificate_file", "key_file")


class Cluster(Protocol):
    """What a client needs to know of a cluster object such as `LocalCluster`."""

    @property
    def address(self) -> str:
        """host:port of the scheduler."""

    @property
    def token(self) -> str:
        """The bearer token of its calls."""


class Files(TypedDict):
    """Arguments of `locate` and of clients, by their names there."""

    ca_file: str | None
    certificate_file: str | None
    key_file: str | None


class Where(NamedTuple):
    """A cluster that can be called.

    Attributes:
        address: host:port of the scheduler.
        token: The bearer token.
        tls: What is trusted and shown; None to speak without TLS.
    """

    address: str
    token: str
    tls: CallerTls | None = None

    @property
    def url(self) -> str:
        """The address with how it is spoken to, as `locate` takes it."""
        return f"{_PLAIN if self.tls is None else _TLS}{self.address}"

    @property
    def files(self) -> Files:
        """What is trusted and shown, as `locate` takes it: as text in the place of files."""
        told = (self.tls.ca or b"", self.tls.certificate, self.tls.key) if self.tls is not None else (b"",) * 3
        ca, certificate, key = (text.decode() or None for text in told)
        return Files(ca_file=ca, certificate_file=certificate, key_file=key)


def locate(
    address: Cluster | str | None,
    token: str | None,
    ca_file: str | None = None,
    certificate_file: str | None = None,
    key_file: str | None = None,
) -> Where:
    """The cluster that the user means.

    Args:
        address: A cluster object, "host:port", "grpcs://host:port", "grpc://host:port", or None for the environment's.
        token: The token, or None for the cluster object's or the environment's.
        ca_file: File of the authorities that vouch for the servers, or what would be in it, as with the next two; None
            for the environment's.
        certificate_file: File of the caller's own certificate, or None for the environment's.
        key_file: File of its key, or None for the environment's.

    Raises:
        ValueError: There is no address or token, or it is malformed, or a file cannot be used.
    """
    embedded = address is not None and not isinstance(address, str)
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
        embedded = not where.startswith(_TLS)
        ca_file = ca_file or getattr(address, "ca", "") or None
    else:
        raise ValueError(f"the address is {address!r}; it must be a LocalCluster, 'host:port', or None")
    secured, plain = where.startswith(_TLS), where.startswith(_PLAIN)
    where = where.removeprefix(_TLS).removeprefix(_PLAIN)
    host, _, port = where.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"the address {where!r} is not of the form host:port (grpcs://host:port with TLS)")
    secret = settings.TOKEN.find() if token is None else token
    if not secret:
        raise ValueError(f"no token for {where}: pass token=..., or set {settings.TOKEN.name}")
    if not isinstance(secret, str):
        raise ValueError(f"the token is of the type {type(secret).__name__}; it must be a text")
    files = [ca_file, certificate_file, key_file]
    if embedded or plain:
        if any(files):
            why = "an embedded cluster" if embedded else f"{_PLAIN}{where}"
            raise ValueError(f"{why} is spoken to without TLS; leave {', '.join(_FILES)} away")
        return Where(where, secret)
    return Where(where, secret, _tls(files, secured))


def _tls(files: list[str | None], secured: bool) -> CallerTls | None:
    """What the files hold that are given, or that the environment names; None where neither asks for TLS."""
    variables = (settings.TLS_CA, settings.TLS_CERTIFICATE, settings.TLS_KEY)
    if any(files):
        if not files[0] and not secured:
            files[0] = settings.TLS_CA.get()
        if not files[0] and not secured:
            raise ValueError(
                f"{_FILES[1]} is for TLS, so give {_FILES[0]} too, or an address that begins with {_TLS} where a "
                "well-known authority vouches for the server"
            )
        ca, certificate, key = (str(file or "") for file in files)
        return CallerTls.of(ca, certificate, key, _FILES, _argument)
    if not secured:
        return CallerTls.read()
    ca, certificate, key = (variable.get() for variable in variables)
    return CallerTls.of(ca, certificate, key, tuple(variable.name for variable in variables), InvalidSetting)


def _argument(name: str, why: str) -> ValueError:
    return ValueError(f"{name} cannot be used: {why}")


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
