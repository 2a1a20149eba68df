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
            ValueError: A number is none, or negative.
        """
        numbers = [
            _whole(settings.INVOKERS, settings.INVOKERS.get(environ)),
            _whole(settings.INVOKER_THRESHOLD, settings.INVOKER_THRESHOLD.get(environ)),
        ]
        return cls(settings.INVOKER_FUNCTION.get(environ), *numbers)

    def spreads(self, count: int) -> bool:
        """Whether so many executors are started through the invoker function."""
        return bool(self.function) and self.invokers > 0 and count > self.threshold

    def shares(self, job: str, records: Mapping[str, Sequence[int]]) -> list[dict[str, Sequence[int]]]:
        """The records for each invoker; none where they are better started directly."""
        return shares(job, records, self.invokers) if self.spreads(len(records)) else []


def _whole(variable: settings.Variable, text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{variable.name} is {text!r}; it must be a whole number from 0 on ({variable.meaning})")
    return int(text)
