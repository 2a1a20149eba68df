"""The tasks that a walk owns and whose inputs come by mark: what is known of their inputs. Pure bookkeeping."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from wukong.engine.claim import Claim
from wukong.engine.holdings import Holdings
from wukong.engine.instructions import FetchMarks, FetchPages
from wukong.engine.pages import Page, Pages


class Owned:
    """The tasks of one walk whose inputs come by mark.

    Attributes:
        claims: The fan-ins that are claimed and whose inputs are not all known yet.
    """

    def __init__(self, pages: Pages, holdings: Holdings) -> None:
        self.claims: dict[int, Claim] = {}
        self._pages = pages
        self._holdings = holdings
        self._unread: dict[int, list[int]] = {}  # by page that is not loaded

    def claimed(self, task: int, claim: Claim) -> None:
        """A fan-in was claimed."""
        self.claims[task] = claim
        if (page := self._pages.get(task)) is not None:
            self.expect_inputs(task, page)
        else:
            self.add(task)

    def add(self, task: int) -> None:
        """A task is owned whose page is not loaded."""
        self._unread.setdefault(self._pages.index(task), []).append(task)

    def page_loaded(self, index: int, page: Page) -> None:
        """The page with this index is there now."""
        for task in self._unread.pop(index, ()):
            self.expect_inputs(task, page)

    def expect_inputs(self, task: int, page: Page) -> None:
        """Count an owned task among the uses of the inputs that come by mark.

        It is counted as early as its page is known, so that a value with several such uses is fetched once.
        """
        claim = self.claims.get(task)
        if claim is None:
            for parent in self._holdings.needs(task, page):
                self._holdings.expect(parent)
            return
        deps = page.deps(task)
        if claim.marks is None:
            if len(claim.local) < len(deps):
                return
            claim.marks = []
        del self.claims[task]
        marks = dict(claim.marks)
        for edge, parent in enumerate(deps):
            if edge in claim.local:
                continue  # also if somebody else ran the parent too
            self._holdings.expect(parent)
            if edge in marks:
                self._holdings.marks.setdefault(parent, marks[edge])

    def unknown(self, tasks: Sequence[int], leaves: Collection[int]) -> FetchPages | FetchMarks | None:
        """What has to be read before tasks can be given away; pages are not needed for `leaves`."""
        if pages := self._pages.unknown(tasks, leaves):
            return FetchPages(pages)
        claim = next((task for task in tasks if task in self.claims), None)
        return None if claim is None else self.read_marks(claim, self._pages.of(claim).deps(claim))

    def read_marks(self, task: int, deps: Sequence[int]) -> FetchMarks:
        """Ask for the marks of a claim's inputs that are not here."""
        local = self.claims[task].local
        return FetchMarks(task, [edge for edge in range(len(deps)) if edge not in local])
