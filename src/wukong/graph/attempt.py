"""Runs a call whose exception is a value: one failing call of many in a job must not end the others."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wukong.graph.exception import pickled

#: Characters of a traceback and bytes of a pickled exception that are kept: together no more than what travels inside
#: the metadata store, so that a failure is read at once.
_TRACEBACK = 12 * 1024
_EXCEPTION = 16 * 1024


@dataclass(frozen=True, slots=True)
class Failed:
    """What a call gives that raised.

    Attributes:
        exception: The exception, pickled; empty where it cannot be pickled or is too large.
        kind: The name of its class.
        traceback: The traceback, as text.
        attempt: Which run of the call this was; the first is 1.
    """

    exception: bytes
    kind: str
    traceback: str
    attempt: int = 1


def attempt(function: Callable[..., Any], /, *args: Any, **keywords: Any) -> Any:
    """What a function returns, or `Failed` if it raises."""
    try:
        return function(*args, **keywords)
    except Exception as error:
        frames = error.__traceback__.tb_next if error.__traceback__ else None
        text = "".join(traceback.format_exception(type(error), error, frames))
        # Half a pair of surrogates is no text elsewhere.
        text = text[-_TRACEBACK:].encode(errors="backslashreplace").decode()
        kind = f"{type(error).__module__}.{type(error).__qualname__}"
        return Failed(pickled(error, _EXCEPTION), kind, text)
