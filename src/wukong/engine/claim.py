"""A fan-in that a walk owns and has not begun: what is known of its inputs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Claim:
    """A claimed fan-in: the edges that arrived here, and the marks of the others (None: to be read).

    Until the marks are read, a holder that is not the first one adds the edges whose parents it runs again.
    """

    local: set[int]
    marks: list[tuple[int, bytes]] | None
