"""A live executor record, as the in-memory metadata store keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wukong.mds.store import Due


@dataclass(slots=True)
class LiveRecord:
    """A record that did not end. Times are milliseconds.

    Attributes:
        entries: Tasks to start from.
        inputs: Marks that came with them.
        depth: Length of the chain of invocations that led here.
        holder: The token of whoever began it last.
        until: When the holder's lease runs out.
        look: When the sweep looks at it next.
        begins: How many holders it had.
        invokes: How many invocations were asked for.
        current: The task that ran at the last beat, or -1.
        key: Its name for the user.
        memory: Bytes in use at the last beat.
        memory_limit: Bytes that the function may use.
        why: What the platform said, and the `begins` of that time.
        claims: Fan-ins that it owns, in the order of their claims.
        counted: Up to which of its holders deaths were counted.
        idle: How many of its holders ended before they ran a task.
        told: The highest number of a `sync` of its holder.
        values: Values that it named first, by the marks of their manifests.
        restores: Whether the entries are results that were lost.
        given: By offload id, how many pieces were accepted and the tasks in them.
    """

    entries: Sequence[int]
    inputs: Sequence[tuple[int, bytes]]
    depth: int
    look: int
    holder: str | None = None
    until: int = 0
    begins: int = 0
    invokes: int = 1
    current: int = -1
    key: str = ""
    memory: int = 0
    memory_limit: int = 0
    why: tuple[int, str] = (0, "")
    counted: int = 0
    idle: int = 0
    told: int = 0
    claims: dict[int, None] = field(default_factory=dict)
    values: dict[bytes, None] = field(default_factory=dict)
    given: dict[str, tuple[int, list[int]]] = field(default_factory=dict)
    restores: bool = False

    def hold(self, now: int, lease: int) -> None:
        """Renew the lease; the sweep looks again when it runs out."""
        self.until = self.look = now + lease

    def begin(self) -> None:
        """Somebody new holds it: invocations and last words are counted and told of this one."""
        self.begins += 1
        self.invokes = 1
        self.told = 0
        self.current, self.key, self.memory, self.memory_limit = -1, "", 0, 0

    def count_death(self, by_task: dict[int, int]) -> int:
        """How often the current task, or this record where none ran, ended a holder; each holder counts once."""
        uncounted = self.begins > self.counted
        if self.current < 0:
            if uncounted:
                self.counted = self.begins
                self.idle += 1
            return self.idle
        if uncounted and self.begins > 1:
            self.counted = self.begins
            by_task[self.current] = by_task.get(self.current, 0) + 1
        return by_task.get(self.current, 0)

    def due(self, name: str, deaths: int) -> Due:
        """What the sweep tells of this record."""
        begins, why = self.why
        why = why if begins == self.begins else ""
        last = self.current, self.memory, self.memory_limit
        return Due(name, self.begins, self.invokes, *last, why, self.key, deaths)
