"""What is ready for somebody else, under a policy that spreads work at once: its questions and their answers. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from wukong.engine.holdings import Holdings
from wukong.engine.policy.policy import Policy


class Giving:
    """The tasks of one walk that are to get executors of their own.

    Attributes:
        tasks: These tasks; the one that would run here first is last.
    """

    def __init__(self, policy: Policy, holdings: Holdings) -> None:
        self._policy = policy
        self._holdings = holdings
        self.tasks: deque[int] = deque()

    def start(self, roots: list[int]) -> list[int]:
        """Those of the first tasks that stay; one does in any case."""
        return self._split(roots, max(1, self._policy.on_fan_out(len(roots), False)))

    def fan_out(self, task: int, out: Sequence[tuple[int, int, int]], children: list[int], large: bool) -> list[int]:
        """Those of the children that a task has made ready that stay, the one that runs first last.

        Args:
            task: The task, which has just run.
            out: Its out-edges.
            children: What it made ready.
            large: Whether its value is.
        """
        if large:
            self._holdings.large.add(task)
        if self._policy.stores_all and out:
            self._holdings.write(out[0][0], [task])
        if not children:
            return children
        children.reverse()
        return self._split(children, self._policy.on_fan_out(len(children), large))

    def claimed(self, child: int, local: Iterable[int], waiting: int) -> bool:
        """Whether a claimed fan-in stays, with these inputs in memory and so many tasks that wait."""
        if self._policy.on_claim(waiting, not self._holdings.large.isdisjoint(local)):
            return True
        self.tasks.append(child)
        return False

    def _split(self, tasks: list[int], staying: int) -> list[int]:
        away = len(tasks) - staying
        self.tasks.extend(tasks[:away])
        return tasks[away:]
