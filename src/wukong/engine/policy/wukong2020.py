"""The published policy: an executor for each leaf, which becomes one child and invokes an executor for each other.

What decides whether work leaves an executor is the size of what it would have to write for others. The children of a
task with a *large* output run where the output is (task clustering). A fan-in that is not complete yet is asked about
a few times more before a large output is written for it, and clustered work runs meanwhile (delayed I/O): whoever
arrives last never writes.

Source: Carver, Zhang, Wang, Anwar, Wu, Cheng, "Wukong: A Scalable and Locality-Enhanced Framework for Serverless
Parallel Computing", SoCC 2020. How often and when to ask again is not published; here that takes half a second in all,
about what writing 64 MiB from a function takes. Whoever has the last edge asks for twice as long, or else two that
wait for each other would both write in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from wukong.engine.policy.groups import contiguous, one_each

#: How often a fan-in is asked about again, and the seconds before each time.
POLLS = 5
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Wukong2020:
    """The policy of the published Wukong; see the module."""

    large_bytes: int
    bounded: ClassVar[bool] = False
    at_once: ClassVar[bool] = True
    stores_all: ClassVar[bool] = False
    elides: ClassVar[bool] = True
    delays: ClassVar[bool] = True
    inlines: ClassVar[bool] = True
    lean: ClassVar[bool] = False

    def initial_groups(self, leaves: Sequence[int], parallelism: int) -> list[Sequence[int]]:
        """One leaf each."""
        return one_each(leaves, parallelism)

    def on_beat(self, waiting: int, room: int, task_seconds: float, aged: bool, moving: float) -> int:
        """None: what waits is clustered."""
        return 0

    def cut(self, tasks: Sequence[int], count: int) -> list[Sequence[int]]:
        """Neighbours."""
        return contiguous(tasks, count)

    def on_fan_out(self, children: int, large: bool) -> int:
        """One, or all where they use a large output."""
        return children if large else 1

    def on_claim(self, waiting: int, large: bool) -> bool:
        """It stays where there is nothing else to become, or an input that is large."""
        return large or not waiting

    def on_not_yet(self, polled: int, last: bool) -> float | None:
        """Some times, and then the value is stored."""
        return POLL_SECONDS if polled < (2 * POLLS if last else POLLS) else None
