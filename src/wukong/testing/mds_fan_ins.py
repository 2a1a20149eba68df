"""The fan-ins of one job, as the in-memory metadata store keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wukong.mds.store import Answer, Arrival, Verdict

#: A claim of more edges than this brings no marks.
WIDE = 256


class FanIns:
    """Which edges of which fan-ins were marked, and which record owns a fan-in."""

    def __init__(self) -> None:
        #: By child: the marks of its edges.
        self.marks: dict[int, dict[int, bytes]] = {}
        #: By child: the record that claimed it; None while only marks exist.
        self.owners: dict[int, str | None] = {}

    def arrive(self, record: str, arrival: Arrival) -> Answer:
        """Take one arrival of a record: mark, claim when complete, and answer."""
        verdict = self._verdict(record, arrival)
        if verdict is not Verdict.CLAIMED or arrival.need > WIDE:
            return Answer(verdict)
        here = {edge for edge, _ in arrival.marks}.union(arrival.offers)
        marks = self.marks.get(arrival.child, {})
        return Answer(verdict, [(edge, mark) for edge, mark in marks.items() if edge not in here])

    def _verdict(self, record: str, arrival: Arrival) -> Verdict:
        child = arrival.child
        owner = self.owners.get(child)
        if owner is not None:
            return Verdict.CLAIMED if owner == record else Verdict.TAKEN
        if arrival.marks:
            self.marks.setdefault(child, {}).update(arrival.marks)
            self.owners.setdefault(child, None)
        readable = self.marks.get(child, {}).keys()
        if len(readable | set(arrival.offers)) < arrival.need:
            return Verdict.NOT_YET
        self.owners[child] = record
        return Verdict.CLAIMED

    def read(self, child: int, edges: Sequence[int]) -> list[bytes | None]:
        """Marks of some edges."""
        marks = self.marks.get(child, {})
        return [marks.get(edge) for edge in edges]

    def forget(self, children: Iterable[int]) -> None:
        """Free the marks of fan-ins that were consumed; who owns them stays known."""
        for child in children:
            self.marks.pop(child, None)
