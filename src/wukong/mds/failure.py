"""Why a job failed, as text that every part and every language can read.

Nothing here is unpickled on the way: the pickled exception is opaque, signed bytes, which the scheduler verifies before
it passes the pickle on to the client.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Failure:
    """The end of a job that did not succeed.

    Attributes:
        error: Name of the class in `wukong.errors` that the client raises; `TaskError` when a task raised.
        message: One sentence or more for the user.
        task: Id of the task, or -1.
        key: The task's Dask key as text, or empty.
        attempt: Which attempt of the task raised, from 1.
        type_name: Qualified name of the exception's class.
        traceback: The remote traceback.
        exception: A signature in the context "failure:{job}", then the pickled exception; empty where it could not be
            pickled.
        attributes: The error's own facts, for errors of Wukong.
    """

    error: str
    message: str
    task: int = -1
    key: str = ""
    attempt: int = 0
    type_name: str = ""
    traceback: str = ""
    exception: bytes = b""
    attributes: dict[str, str | int | float] = field(default_factory=dict)

    def to_json(self) -> str:
        """The failure as JSON; the exception as base64."""
        return json.dumps(asdict(self) | {"exception": base64.b64encode(self.exception).decode()})

    @classmethod
    def from_json(cls, text: str | bytes) -> Failure:
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        return cls(**fields | {"exception": base64.b64decode(fields["exception"])})
