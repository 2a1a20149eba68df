"""Fan-ins that are not complete here: what arrived, and when it has to be reported. Pure bookkeeping for the walk.

A fan-in is here from its first local arrival until it is complete here, is claimed or taken, or all its local edges
are marked in the store. What it needs to be reported is its age, or nothing at all under a policy that reports at once;
whose it is, and what happens to the values, the walk decides. One that waits to be asked about again is reported no
earlier than that, unless something more arrives for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from wukong.engine.instructions import Arrivals, Edge

#: Edges in one report; the protocol's batch limit.
REPORT_EDGES = 500


@dataclass(slots=True)
class _FanIn:
    """Local arrivals at one fan-in: edge -> parent, and since when some of them are not reported."""

    need: int
    since: float
    edges: dict[int, int] = field(default_factory=dict)
    polls: int = 0


class FanIns:
    """The fan-ins of one walk, the longest unreported first.

    Args:
        at_once: Each arrival is to be reported at once.
        elides: A fan-in may become complete here; else the store has to be asked for each.
    """

    def __init__(self, at_once: bool = False, elides: bool = True) -> None:
        self._at_once = at_once
        self._elides = elides
        self._open: dict[int, _FanIn] = {}
        self._urgent: set[int] = set()  # their offered values are stored now, or something arrived that cannot wait
        self._reporting: set[int] = set()  # the answer is still to come

    def arrive(self, child: int, edge: int, need: int, parent: int, now: float) -> bool:
        """Count a local arrival; true if that makes the fan-in complete here."""
        fan_in = self._open.get(child)
        if fan_in is None:
            fan_in = self._open[child] = _FanIn(need, now)
        fan_in.edges[edge] = parent
        if len(fan_in.edges) < need or child in self._reporting or not self._elides:
            if self._at_once:
                self._urgent.add(child)
            return False
        del self._open[child]
        self._urgent.discard(child)
        return True

    def report(self, now: float, until: float, marks: Mapping[int, bytes]) -> tuple[list[Arrivals], bool]:
        """What to report now: what is urgent, and what arrived by `until`, within the limit.

        Returns:
            The arrivals, which have to be answered before the next report, and whether that is all there is.
        """
        chosen: dict[int, None] = {}
        edges = 0
        while self._urgent and edges < REPORT_EDGES:
            if (child := self._urgent.pop()) in self._open:
                edges += len(self._open[child].edges)
                chosen[child] = None
        for child, fan_in in self._open.items():
            if fan_in.since > until and fan_in.polls:
                continue  # it waits longer than those behind it
            if edges >= REPORT_EDGES or fan_in.since > until:
                break
            if child not in chosen:
                edges += len(fan_in.edges)
                chosen[child] = None
        for child in chosen:
            # What arrives from now on is a beat old a beat from now; the oldest stay in front.
            fan_in = self._open.pop(child)
            fan_in.since = now
            self._open[child] = fan_in
        self._reporting.update(chosen)
        return [self._arrivals(child, marks) for child in chosen], len(chosen) == len(self._open)

    def answered(self) -> None:
        """The answers to the last report are here; the calls below say what they are."""
        self._reporting.clear()

    def close(self, child: int) -> dict[int, int]:
        """A fan-in that was claimed or taken; returns its local edges: none where it was forgotten meanwhile."""
        fan_in = self._open.pop(child, None)
        return fan_in.edges if fan_in is not None else {}

    def marked(self, child: int, edges: Iterable[int]) -> list[int]:
        """Edges are marked in the store; returns their parents."""
        here = self._open[child].edges
        return [here.pop(edge) for edge in edges]

    def completed(self, child: int) -> list[int]:
        """The parents, if the fan-in became complete here while its report was out, with nothing of it marked."""
        fan_in = self._open[child]
        if len(fan_in.edges) < fan_in.need or not self._elides:
            return []
        del self._open[child]
        return list(fan_in.edges.values())

    def offered(self, child: int, edges: Iterable[int]) -> list[int]:
        """Edges were offered and the fan-in stays open, if anything is left of it here; returns their parents."""
        here = self._open[child].edges
        if not here:
            del self._open[child]
            return []
        return [here[edge] for edge in edges]

    def hurry(self, child: int) -> None:
        """The offered values are stored now: the fan-in is reported again as soon as they are."""
        self._urgent.add(child)

    def polled(self, child: int) -> int:
        """How often the fan-in waited to be asked about again."""
        return self._open[child].polls

    def has_last(self, child: int) -> bool:
        """Whether the last of the fan-in's edges is here."""
        fan_in = self._open[child]
        return fan_in.need - 1 in fan_in.edges

    def ask_later(self, child: int, seconds: float) -> None:
        """Ask about the fan-in again, that long after its last report."""
        fan_in = self._open[child]
        fan_in.since += seconds
        fan_in.polls += 1

    def next_due(self) -> float | None:
        """When a fan-in that waits to be asked about again has waited long enough, if there is one."""
        return next((fan_in.since for fan_in in self._open.values()), None)

    def _arrivals(self, child: int, marks: Mapping[int, bytes]) -> Arrivals:
        fan_in = self._open[child]
        edges = [Edge(edge, parent, marks.get(parent)) for edge, parent in fan_in.edges.items()]
        return Arrivals(child, fan_in.need, edges)
