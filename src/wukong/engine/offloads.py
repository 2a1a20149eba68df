"""Work that one walk gives to others: what is out, and what becomes of the values that it needs. Pure bookkeeping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wukong.engine.holdings import Holdings
from wukong.engine.instructions import Offload, Piece
from wukong.engine.pages import Pages


class Offloads:
    """The offloads of one walk, each with a number of its own."""

    def __init__(self, pages: Pages, holdings: Holdings) -> None:
        self._pages = pages
        self._holdings = holdings
        self._out: dict[int, list[Piece]] = {}
        self._sequence = 0

    def give(self, groups: Iterable[Sequence[int]], end: bool = False) -> Offload:
        """Give groups of tasks away, all of whose needs are known. With `end` nothing comes back."""
        pieces = [self._holdings.piece(group, self._pages) for group in groups]
        self._sequence += 1
        self._out[self._sequence] = pieces
        return Offload(self._sequence, pieces, end)

    def answered(self, sequence: int, accepted: int, marks: Iterable[tuple[int, bytes]]) -> list[Piece]:
        """The first `accepted` pieces have other owners; returns those that come back. Marks are of values stored."""
        holdings = self._holdings
        pieces = self._out.pop(sequence)
        holdings.marks.update((task, mark) for task, mark in marks if task in holdings.here)
        for piece in pieces[:accepted]:
            for task in piece.entries:
                page = self._pages.get(task)
                for parent in holdings.needs(task, page) if page else ():
                    holdings.settle(parent)
        return pieces[accepted:]
