"""A policy that answers as another one, but for what a subclass answers itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wukong.engine.policy.policy import Policy


@dataclass(frozen=True, slots=True)
class Modified:
    """`policy`, as it is."""

    policy: Policy

    @property
    def bounded(self) -> bool:
        """As the policy."""
        return self.policy.bounded

    @property
    def at_once(self) -> bool:
        """As the policy."""
        return self.policy.at_once

    @property
    def stores_all(self) -> bool:
        """As the policy."""
        return self.policy.stores_all

    @property
    def elides(self) -> bool:
        """As the policy."""
        return self.policy.elides

    @property
    def delays(self) -> bool:
        """As the policy."""
        return self.policy.delays

    @property
    def inlines(self) -> bool:
        """As the policy."""
        return self.policy.inlines

    @property
    def lean(self) -> bool:
        """As the policy."""
        return self.policy.lean

    @property
    def large_bytes(self) -> int | None:
        """As the policy."""
        return self.policy.large_bytes

    def initial_groups(self, leaves: Sequence[int], parallelism: int) -> list[Sequence[int]]:
        """As the policy."""
        return self.policy.initial_groups(leaves, parallelism)

    def on_beat(self, waiting: int, room: int, task_seconds: float, aged: bool, moving: float) -> int:
        """As the policy."""
        return self.policy.on_beat(waiting, room, task_seconds, aged, moving)

    def cut(self, tasks: Sequence[int], count: int) -> list[Sequence[int]]:
        """As the policy."""
        return self.policy.cut(tasks, count)

    def on_fan_out(self, children: int, large: bool) -> int:
        """As the policy."""
        return self.policy.on_fan_out(children, large)

    def on_claim(self, waiting: int, large: bool) -> bool:
        """As the policy."""
        return self.policy.on_claim(waiting, large)

    def on_not_yet(self, polled: int, last: bool) -> float | None:
        """As the policy."""
        return self.policy.on_not_yet(polled, last)
