"""What one run of `make bench` says: ratios to the peers, and how they stand to the goals. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmarks.sampling import Measured

OURS = "Wukong"


@dataclass(frozen=True)
class Ratio:
    """Wukong's time through a peer's, at one workload.

    Attributes:
        of_medians: What is held against the goal.
        of_minima: Beside it: what both take when nothing disturbs them.
        goal: The largest accepted ratio; None where there is none.
    """

    workload: str
    peer: str
    of_medians: float
    of_minima: float
    goal: float | None

    @property
    def to_goal(self) -> float | None:
        """The ratio through its goal: above 1 it is missed."""
        return None if self.goal is None else self.of_medians / self.goal

    @property
    def missed(self) -> bool:
        """Whether there is a goal, and it is not reached."""
        return self.goal is not None and self.of_medians > self.goal


def ratios(workload: str, measured: Mapping[str, Measured], goals: Mapping[str, float]) -> list[Ratio]:
    """Wukong beside every peer that was measured; none where Wukong was not."""
    ours = measured.get(OURS)
    if ours is None:
        return []
    return [
        Ratio(workload, peer, ours.median / theirs.median, ours.minimum / theirs.minimum, goals.get(peer))
        for peer, theirs in measured.items()
        if peer != OURS
    ]


def worst(found: Iterable[Ratio]) -> Ratio | None:
    """The one that is farthest above its goal, or nearest below; None where none has a goal."""
    return max((ratio for ratio in found if ratio.goal is not None), key=lambda ratio: ratio.to_goal or 0, default=None)


def closing_line(found: Iterable[Ratio]) -> str:
    """The last line of a run."""
    ratio = worst(found)
    if ratio is None:
        return "worst ratio to goal: none (no goal was measured)"
    return f"worst ratio to goal: {ratio.to_goal:.2f} ({ratio.workload}, {ratio.peer})"
