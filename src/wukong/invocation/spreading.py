"""When executors are started through the invoker function, and through how many invocations of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wukong import settings
from wukong.invocation.event import shares


@dataclass(frozen=True, slots=True)
class Spreading:
    """What a part that starts executors knows of the invoker function.

    Attributes:
        function: Its name; empty where there is none.
        invokers: Invocations of it at once, for one start.
        threshold: Executors up to which a start goes without it.
    """

    function: str
    invokers: int
    threshold: int

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Spreading:
        """What the environment says.

        Raises:
            InvalidSetting: A number is none, or negative.
        """
        return cls(
            settings.INVOKER_FUNCTION.get(environ),
            settings.INVOKERS.whole(environ),
            settings.INVOKER_THRESHOLD.whole(environ),
        )

    def spreads(self, count: int) -> bool:
        """Whether so many executors are started through the invoker function."""
        return bool(self.function) and self.invokers > 0 and count > self.threshold

    def shares(self, job: str, records: Mapping[str, Sequence[int]]) -> list[dict[str, Sequence[int]]]:
        """The records for each invoker; none where they are better started directly."""
        return shares(job, records, self.invokers) if self.spreads(len(records)) else []
