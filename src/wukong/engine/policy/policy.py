"""What a policy is asked: by the scheduler for the first executors, by each executor's walk while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Policy(Protocol):
    """How work spreads over executors. Pure: numbers in, numbers out."""

    @property
    def bounded(self) -> bool:
        """Whether a job's executors are bounded by the cluster's parallelism where the user gave no bound.

        Where they are not, invocations wait in Lambda's own queue for their turn.
        """

    @property
    def at_once(self) -> bool:
        """Whether fan-ins are reported, and work is given away, as soon as they arise; else on the beat.

        `on_fan_out` and `on_claim` are asked only then, and where nothing `delays`.
        """

    @property
    def stores_all(self) -> bool:
        """Whether every value that somebody needs goes through the key-value store."""

    @property
    def elides(self) -> bool:
        """Whether a fan-in whose inputs were all computed by one executor runs there unreported (local fan-in)."""

    @property
    def delays(self) -> bool:
        """Whether a value that no mark carries is offered to a fan-in, and written once others need it (delayed I/O).

        Where not, it is written before its arrival is reported, and that is as soon as it is there.
        """

    @property
    def inlines(self) -> bool:
        """Whether small values travel inside their marks."""

    @property
    def lean(self) -> bool:
        """Whether memory has only what the next task needs: outputs are stored at once, and read back for each use."""

    @property
    def large_bytes(self) -> int | None:
        """From how many bytes on a task's value counts as large; None where that decides nothing."""

    def initial_groups(self, leaves: Sequence[int], parallelism: int) -> list[Sequence[int]]:
        """Cut the leaves, in depth-first order, into contiguous groups, one per first executor.

        Args:
            leaves: The tasks without dependencies; at least one.
            parallelism: The most executors of the job.
        """

    def on_beat(self, waiting: int, room: int, task_seconds: float, aged: bool, moving: float) -> int:
        """How many pieces to cut from the waiting tasks, on a beat.

        Args:
            waiting: Ready tasks behind the running one.
            room: How many more executors the job may have.
            task_seconds: What a task is expected to take.
            aged: Whether the oldest waiting task has waited for a whole beat.
            moving: What moving values would take if work is given away, as a part of the time that this work takes.
        """

    def cut(self, tasks: Sequence[int], count: int) -> list[Sequence[int]]:
        """Cut what a beat gives away.

        Args:
            tasks: The tasks, in depth-first order; at least one.
            count: Into at most how many pieces, none of them empty.
        """

    def on_fan_out(self, children: int, large: bool) -> int:
        """How many of the children that a finished task made ready stay with its executor; each other gets its own.

        Args:
            children: The children, at least one.
            large: Whether the task's value is large.
        """

    def on_claim(self, waiting: int, large: bool) -> bool:
        """Whether a claimed fan-in stays with the executor that claimed it; else one is invoked for it.

        Args:
            waiting: Ready tasks that stay with the executor.
            large: Whether one of the inputs that are in its memory is large.
        """

    def on_not_yet(self, polled: int, last: bool) -> float | None:
        """In how many seconds to ask again about a fan-in before a large value is stored for it; None to store it now.

        Args:
            polled: How often it was asked about again.
            last: Whether the last of its edges is one of those that are here.
        """
