"""A policy without locality: one invocation for each task, and all data through the key-value store.

It is how PyWren and numpywren run graphs, and exists to be compared with inside the same engine.

Source: Jonas, Pu, Venkataraman, Stoica, Recht, "Occupy the Cloud: Distributed Computing for the 99%", SoCC 2017;
Shankar, Krauth, Pu, Jonas, Venkataraman, Stoica, Recht, Ragan-Kelley, "numpywren: Serverless Linear Algebra", 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from wukong.engine.policy.groups import contiguous, one_each


@dataclass(frozen=True, slots=True)
class Stateless:
    """One task per executor; see the module."""

    bounded: ClassVar[bool] = False
    at_once: ClassVar[bool] = True
    stores_all: ClassVar[bool] = True
    elides: ClassVar[bool] = True
    delays: ClassVar[bool] = False
    inlines: ClassVar[bool] = False
    lean: ClassVar[bool] = False
    large_bytes: ClassVar[int | None] = None

    def initial_groups(self, leaves: Sequence[int], parallelism: int) -> list[Sequence[int]]:
        """One leaf each."""
        return one_each(leaves, parallelism)

    def on_beat(self, waiting: int, room: int, task_seconds: float, aged: bool, moving: float) -> int:
        """None: what waits has found no room."""
        return 0

    def cut(self, tasks: Sequence[int], count: int) -> list[Sequence[int]]:
        """Neighbours."""
        return contiguous(tasks, count)

    def on_fan_out(self, children: int, large: bool) -> int:
        """None stays."""
        return 0

    def on_claim(self, waiting: int, large: bool) -> bool:
        """It goes to an executor of its own."""
        return False

    def on_not_yet(self, polled: int, last: bool) -> float | None:
        """What others wait for is stored."""
        return None
