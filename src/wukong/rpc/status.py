"""How Wukong's errors travel over gRPC: one table, read in both directions.

A servicer raises an error of `wukong.errors`. The server answers the gRPC status of its class, the error's
message as the status's details, and in the trailing metadata the class's name and the error's attributes as
JSON. The caller raises the same class with the same attributes. A status without that metadata comes from
gRPC itself (the server is not there, a message is too large) and becomes the class that says the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from wukong import errors
from wukong.errors import WukongError
from wukong.rpc import handshake

METADATA_KEY = "wukong-error-bin"
"""Trailing metadata: JSON of the error's class, message and attributes."""

#: The status of each class. A subclass has the status of its nearest ancestor here, and arrives as that one.
STATUS: dict[type[WukongError], grpc.StatusCode] = {
    errors.InvalidGraph: grpc.StatusCode.INVALID_ARGUMENT,
    errors.UnknownJob: grpc.StatusCode.NOT_FOUND,
    errors.AccessDenied: grpc.StatusCode.UNAUTHENTICATED,
    errors.TlsFailed: grpc.StatusCode.UNAUTHENTICATED,
    errors.VersionMismatch: grpc.StatusCode.FAILED_PRECONDITION,
    errors.MissingModule: grpc.StatusCode.FAILED_PRECONDITION,
    errors.InvalidSetting: grpc.StatusCode.FAILED_PRECONDITION,
    errors.LimitExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.TooManyCalls: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.StoreFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.BudgetExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.JobCancelled: grpc.StatusCode.ABORTED,
    errors.TaskError: grpc.StatusCode.ABORTED,
    errors.ExecutorLost: grpc.StatusCode.ABORTED,
    errors.InputLost: grpc.StatusCode.DATA_LOSS,
    errors.ResultMissing: grpc.StatusCode.DATA_LOSS,
    errors.ValueRefused: grpc.StatusCode.DATA_LOSS,
    errors.ClusterUnavailable: grpc.StatusCode.UNAVAILABLE,
    WukongError: grpc.StatusCode.UNKNOWN,
}

_BY_NAME = {kind.__name__: kind for kind in STATUS}

#: Trailing metadata of more bytes is refused by the other side (see `wukong.rpc.limits`).
_TEXT_BYTES = 8 * 1024
_DETAILS_BYTES = 2 * 1024

_TOO_LARGE = re.compile(r"message larger than max \((\d+) vs\. (\d+)\)")


def kind_of(error: WukongError) -> type[WukongError]:
    """The class of the table as which an error travels."""
    return next(kind for kind in type(error).__mro__ if kind in STATUS)


def encode(error: WukongError) -> tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]:
    """What `context.abort` takes: status, details and trailing metadata. Long texts are cut."""
    kind = kind_of(error)
    message = str(error)
    content = {
        "class": kind.__name__,
        "message": _cut(message, _TEXT_BYTES),
        "attributes": {name: _plain(value) for name, value in error.__dict__.items() if name[:2] != "__"},
    }
    return STATUS[kind], _cut(message, _DETAILS_BYTES), ((METADATA_KEY, json.dumps(content).encode()),)


def decode(content: bytes) -> WukongError:
    """The error that `encode` wrote. A class that this version does not know becomes `WukongError`."""
    fields = json.loads(content)
    kind = _BY_NAME.get(fields["class"], WukongError)
    error = kind.__new__(kind, fields["message"])
    error.args = (fields["message"],)
    error.__dict__.update({name: _unplain(value) for name, value in fields["attributes"].items()})
    return error


def from_rpc(error: grpc.RpcError, address: str) -> WukongError:
    """The error of Wukong that a failed call (sync or aio) to `address` means."""
    # Both kinds of call raise an RpcError that is a grpc.Call too, which the type does not say.
    call: Any = error
    for key, value in call.trailing_metadata() or ():
        if key == METADATA_KEY:
            return decode(value)
    code: grpc.StatusCode = call.code()
    details: str = call.details() or ""
    match code:
        case grpc.StatusCode.UNAVAILABLE:
            if failed := handshake.refused(details, address):
                return failed
            return errors.ClusterUnavailable(f"nothing answers at {address} ({details}). Is the cluster running?")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return errors.ClusterUnavailable(f"{address} did not answer in time ({details})")
        case grpc.StatusCode.CANCELLED:
            return errors.ClusterUnavailable(f"the call to {address} was cut off ({details})")
        case grpc.StatusCode.UNAUTHENTICATED | grpc.StatusCode.PERMISSION_DENIED:
            return errors.AccessDenied(f"{address} refused the call: {details}")
        case grpc.StatusCode.UNIMPLEMENTED:
            return errors.VersionMismatch(f"{address} does not know this call, it may run another version: {details}")
        case grpc.StatusCode.RESOURCE_EXHAUSTED if sizes := _TOO_LARGE.search(details):
            return errors.LimitExceeded(
                f"bytes of a message to or from {address}",
                int(sizes[1]),
                int(sizes[2]),
                "Send it in smaller parts.",
            )
        case _:
            return WukongError(f"{address} failed with {code.name}: {details}")


@contextmanager
def wukong_errors(address: str) -> Iterator[None]:
    """Turns the gRPC errors of calls made inside, unary or while iterating over a stream, into Wukong's."""
    try:
        yield
    except grpc.RpcError as error:
        raise from_rpc(error, address) from error


def _cut(text: str, size: int) -> str:
    return text if len(text.encode()) <= size else text.encode()[: size - 3].decode(errors="ignore") + "…"


def _plain(value: object) -> object:
    """`value` as JSON can hold it: tuples (Dask keys) are marked, other objects become their repr."""
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return _cut(value, _TEXT_BYTES)
        case tuple():
            return {"tuple": [_plain(item) for item in value]}
        case _:
            return _cut(repr(value), _TEXT_BYTES)


def _unplain(value: Any) -> object:
    if isinstance(value, dict):
        return tuple(_unplain(item) for item in value["tuple"])
    return value
