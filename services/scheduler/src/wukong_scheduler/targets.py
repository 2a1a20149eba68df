"""The targets of jobs, in the order asked and by name, kept in the metadata store beside each job.

The job's own record counts its sinks; which ones they are, only whoever answers for the job has to know.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Targets:
    """What was asked for.

    Attributes:
        tasks: The tasks, in the order asked.
        names: Their names, in a job of calls.
        request: What tells the request of a job of calls from others.
    """

    tasks: Sequence[int] = ()
    names: Sequence[str] = ()
    request: str = ""

    def encode(self) -> bytes:
        """As bytes: how many tasks, the tasks; in a job of calls the names and the request as JSON."""
        words = np.array([len(self.tasks), *self.tasks], "<u4").tobytes()
        return words + (json.dumps([self.names, self.request]).encode() if self.names else b"")

    @classmethod
    def decode(cls, data: bytes) -> Targets:
        """Read what `encode` wrote; nothing is no targets."""
        count = int.from_bytes(data[:4], "little")
        end = 4 + 4 * count
        tasks: list[int] = np.frombuffer(data[4:end], "<u4").tolist()
        return cls(tasks, *(json.loads(data[end:]) if len(data) > end else ()))
