"""Who runs next, and which samples count: the pure part of `make bench`.

Engines take turns in rounds, and each round begins with another engine, so that what changes on the machine in the
course of a run meets all of them alike. While a sample is taken, other programs may have used the processors. A sample
that was disturbed more than the limit is loaded: it does not count, and is taken again, a bounded number of times for
each engine. Where that is used up, the least disturbed of the loaded ones count, and are marked.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Foreign use of the processors above which a sample is loaded, in cores.
LIMIT = 0.2
#: Stands in tables behind a time of which some samples are loaded.
LOADED = "°"
#: Short runs are repeated within a sample, for so long: readings of processor time advance in ticks of 10 ms.
SAMPLE_SECONDS = 0.3


@dataclass(frozen=True)
class Sample:
    """One turn of an engine.

    Attributes:
        runs: Seconds of each run in it; several, one after the other, where a run is short.
        foreign: What processes outside the engine used of the processors meanwhile: 1.0 is one core all the time.
    """

    runs: Sequence[float]
    foreign: float = 0.0

    @property
    def seconds(self) -> float:
        """The median of its runs."""
        return statistics.median(self.runs)


@dataclass(frozen=True)
class Measured:
    """What an engine's samples of a workload come to."""

    median: float
    minimum: float
    samples: Sequence[Sample]
    loaded: int
    repeated: int


@dataclass
class _Turns:
    wanted: int
    taken: list[Sample] = field(default_factory=list)


@dataclass(frozen=True)
class Trial:
    """How fast an engine was when it was started in one of several ways."""

    engine: str
    options: Mapping[str, Any]
    seconds: float


def fastest(trials: Iterable[Trial], engine: str) -> Trial:
    """The way in which an engine was fastest; the first of equals."""
    return min((trial for trial in trials if trial.engine == engine), key=lambda trial: trial.seconds)


class Rounds:
    """The turns of all engines at one workload.

    Args:
        wanted: Samples that shall count, by engine.
        limit: Foreign use of the processors above which a sample is loaded, in cores.
        repeats: Loaded samples of one engine that are taken again, at most.
    """

    def __init__(self, wanted: Mapping[str, int], limit: float, repeats: int) -> None:
        self._turns = {name: _Turns(count) for name, count in wanted.items()}
        self._limit = limit
        self._repeats = repeats
        self._round = 0

    def next_round(self) -> list[str]:
        """The engines of the next round in their order; empty when all have what they need."""
        names = list(self._turns)
        first = self._round % len(names) if names else 0
        self._round += 1
        return [name for name in names[first:] + names[:first] if self._needs(self._turns[name])]

    def add(self, name: str, sample: Sample) -> None:
        """Take down what an engine's turn gave."""
        self._turns[name].taken.append(sample)

    def measured(self) -> dict[str, Measured]:
        """What the samples that count come to, by engine; engines that had no turn are left out."""
        return {name: self._counted(turns) for name, turns in self._turns.items() if turns.taken}

    def _clean(self, turns: _Turns) -> list[Sample]:
        return [sample for sample in turns.taken if sample.foreign <= self._limit]

    def _needs(self, turns: _Turns) -> bool:
        return len(self._clean(turns)) < turns.wanted and len(turns.taken) < turns.wanted + self._repeats

    def _counted(self, turns: _Turns) -> Measured:
        best = sorted(turns.taken, key=lambda sample: sample.foreign)[: turns.wanted]
        clean = self._clean(turns)
        samples = clean if len(clean) >= turns.wanted else best
        return Measured(
            median=statistics.median(sample.seconds for sample in samples),
            minimum=min(min(sample.runs) for sample in samples),
            samples=samples,
            loaded=sum(sample.foreign > self._limit for sample in samples),
            repeated=len(turns.taken) - len(samples),
        )
