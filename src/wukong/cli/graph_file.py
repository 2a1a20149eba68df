"""A file with a graph of calls becomes a request. Pure."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from google.protobuf import json_format

from wukong.cli.exits import UsageError
from wukong.rpc.v1 import scheduler_pb2

#: What the file may hold. The form is that of SubmitJobRequest in JSON, so a file for grpcurl is one for this command.
_FIELDS = {"job_id", "tasks", "targets", "options"}

#: Above this a double, which is what JSON has on the wire, does not hold every integer.
_EXACT = 2**53


def parse(text: str) -> scheduler_pb2.SubmitJobRequest:
    """The request that a file asks for; its job id is empty unless the file says one.

    Raises:
        UsageError: The file is not a graph of calls.
    """
    try:
        content = json.loads(text, object_pairs_hook=_object, parse_int=_int, parse_constant=_constant)
    except RecursionError:
        raise UsageError("the graph is nested too deeply") from None
    except ValueError as error:
        raise UsageError(f"the graph is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise UsageError('the graph must be a JSON object, {"tasks": [...], "targets": [...]}')
    if unknown := sorted(set(content) - _FIELDS):
        raise UsageError(f"the graph has {unknown[0]!r}; it may have {', '.join(sorted(_FIELDS))}")
    for field in ("tasks", "targets"):
        if not content.get(field):
            raise UsageError(f"the graph has no {field!r}, so there is nothing to compute")
    try:
        return json_format.ParseDict(content, scheduler_pb2.SubmitJobRequest())
    except (json_format.ParseError, RecursionError) as error:
        raise UsageError(f"the graph is not of the form of SubmitJobRequest: {error}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"an object of the graph has {twice!r} twice")
    return found


def _int(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > _EXACT:
        raise UsageError(
            f"the graph has the integer {digits[:40]}; JSON numbers are exact up to 2**53, so send it as a string"
        )
    return int(digits)


def _constant(name: str) -> NoReturn:
    raise UsageError(f"the graph has {name}, which is not JSON")
