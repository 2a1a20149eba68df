"""For a holder after two that died: what killed them may be what they had in memory together.

Every output is stored as soon as its task has run, and read back where it is needed: memory never has more than what
one task needs and makes. On every beat half of the waiting tasks is given away, whether it is worth an invocation or
not. So a death from memory that fills up over many tasks does not repeat.
"""

from __future__ import annotations

from dataclasses import dataclass

from wukong.engine.policy.modified import Modified


@dataclass(frozen=True, slots=True)
class Careful(Modified):
    """`policy`, with every output stored, and half of the work given away on each beat."""

    @property
    def lean(self) -> bool:
        """True."""
        return True

    def on_beat(self, waiting: int, room: int, task_seconds: float, aged: bool, moving: float) -> int:
        """At least one piece, which is half of what waits."""
        return max(self.policy.on_beat(waiting, room, task_seconds, aged, moving), min(1, waiting, room))
