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
        memory: Bytes in use at the last beat.
        memory_limit: Bytes that the function may use.
        why: What the platform said, and the `begins` of that time.
        claims: Fan-ins that it owns, in the order of their claims.
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
    memory: int = 0
    memory_limit: int = 0
    why: tuple[int, str] = (0, "")
    claims: dict[int, None] = field(default_factory=dict)
    given: dict[str, tuple[int, list[int]]] = field(default_factory=dict)

    def hold(self, now: int, lease: int) -> None:
        """Renew the lease; the sweep looks again when it runs out."""
        self.until = self.look = now + lease

    def due(self, name: str) -> Due:
        """What the sweep tells of this record."""
        begins, why = self.why
        why = why if begins == self.begins else ""
        return Due(name, self.begins, self.invokes, self.current, self.memory, self.memory_limit, why)
