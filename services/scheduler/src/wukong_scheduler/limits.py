"""How large a job may be. Every limit has a name that its error shows and that the operator sets."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from wukong.errors import LimitExceeded

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest counts and sizes (in bytes) of one job that the scheduler accepts.

    A graph's arrays travel in one SubmitJobRequest, so the defaults of `tasks`, `edges` and
    `inline_pages_bytes` fit one gRPC message together.
    """

    #: Tasks of one graph.
    tasks: int = 2_000_000
    #: Dependencies of one graph, all tasks together.
    edges: int = 10_000_000
    #: Bytes of one page's payload.
    page_bytes: int = 32 * MIB
    #: Bytes of all payloads that travel within one SubmitJobRequest.
    inline_pages_bytes: int = 8 * MIB
    #: Bytes of all payloads of one graph.
    payload_bytes: int = 4096 * MIB
    #: Values embedded in one graph that the client uploads apart from the pages.
    inputs: int = 100_000

    @classmethod
    def parse(cls, text: str) -> Limits:
        """The limits of a JSON object such as `{"tasks": 1000}`; what it does not name keeps its default."""
        try:
            given = json.loads(text) if text else {}
        except ValueError:
            given = None
        known = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(given, dict) or not given.keys() <= known:
            raise ValueError(f"limits are a JSON object with keys among {sorted(known)}, not {text!r}")
        if not all(type(value) is int and value > 0 for value in given.values()):
            raise ValueError(f"every limit is a positive integer, unlike one of {text!r}")
        return cls(**given)

    def hold(self, name: str, value: int) -> None:
        """Raise `LimitExceeded` when `value` is above the limit called `name`."""
        maximum: int = getattr(self, name)
        if value > maximum:
            raise LimitExceeded(name, value, maximum, _ADVICE[name])


_ADVICE = {
    "tasks": "Use larger chunks, or compute in several steps.",
    "edges": "Use larger chunks, or compute in several steps.",
    "page_bytes": "An argument or a function is large: load it inside the task, or pass it on its own.",
    "inline_pages_bytes": "Send the pages through UploadPages before.",
    "payload_bytes": "Load data inside tasks, or pass it as values of their own, not embedded in functions.",
    "inputs": "Load data inside tasks, or embed it in fewer and larger pieces.",
}
