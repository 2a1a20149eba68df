"""A policy with one of its mechanisms switched off, to see what that one brings.

Everything else stays as it is: the results, the promises, the other mechanisms.

local-fan-in
    A fan-in whose inputs were all computed here runs with no word to anybody. Without it each fan-in is reported, and
    claimed.
delayed-io
    What arrived at a fan-in is reported later, and a large value is written when it turns out that others need it.
    Without it the value is written, and then reported, as soon as it is there.
clustering
    What uses the same data stays together. Without it the children of large outputs are given away like others, and
    the pieces of a beat are dealt like cards.
inlining
    Small values travel inside their marks. Without it each goes through the key-value store.
beat
    Waiting work is given away on the beat. Without it all stays with the first executors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wukong.engine.policy.modified import Modified

#: The mechanisms that each policy has, by its name.
MECHANISMS: Final[Mapping[str, Sequence[str]]] = {
    "heartbeat": ("local-fan-in", "delayed-io", "clustering", "inlining", "beat"),
    "wukong2020": ("local-fan-in", "delayed-io", "clustering", "inlining"),
}


@dataclass(frozen=True, slots=True)
class Without(Modified):
    """`policy` without the mechanism of that name; see the module."""

    mechanism: str

    @property
    def elides(self) -> bool:
        """As the policy, with local fan-in."""
        return self.policy.elides and self.mechanism != "local-fan-in"

    @property
    def delays(self) -> bool:
        """As the policy, with delayed I/O."""
        return self.policy.delays and self.mechanism != "delayed-io"

    @property
    def inlines(self) -> bool:
        """As the policy, with inlining."""
        return self.policy.inlines and self.mechanism != "inlining"

    def on_beat(self, waiting: int, room: int, task_seconds: float, aged: bool, moving: float) -> int:
        """As the policy, with the beat."""
        return 0 if self.mechanism == "beat" else self.policy.on_beat(waiting, room, task_seconds, aged, moving)

    def cut(self, tasks: Sequence[int], count: int) -> list[Sequence[int]]:
        """As the policy, with clustering; else each piece has every n-th task."""
        if self.mechanism != "clustering":
            return self.policy.cut(tasks, count)
        return [tasks[first::count] for first in range(min(count, len(tasks)))]

    def on_fan_out(self, children: int, large: bool) -> int:
        """As the policy; without clustering no output is large."""
        return self.policy.on_fan_out(children, large and self.mechanism != "clustering")

    def on_claim(self, waiting: int, large: bool) -> bool:
        """As the policy; without clustering no input is large."""
        return self.policy.on_claim(waiting, large and self.mechanism != "clustering")

    def on_not_yet(self, polled: int, last: bool) -> float | None:
        """As the policy, with delayed I/O."""
        return self.policy.on_not_yet(polled, last) if self.delays else None
