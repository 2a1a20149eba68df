"""What `make bench` found, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.bench import Outcome
from benchmarks.comparison import Ratio, closing_line
from benchmarks.sampling import LOADED, Measured, fastest

ENGINES = (
    "Wukong",
    "distributed",
    "Ray",
    "Dask synchronous",
    "Dask threaded",
    "Dask multiprocessing",
    "Lithops",
)


def times(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Milliseconds of every engine at every workload."""
    yield "| workload | tasks | " + " | ".join(ENGINES) + " |"
    yield "|---" * (len(ENGINES) + 2) + "|"
    for outcome in outcomes:
        cells = [_time(outcome.measured.get(name)) for name in ENGINES]
        yield f"| {outcome.case.name}: {outcome.case.title} | {outcome.tasks:,} | {' | '.join(cells)} |"


def _time(measured: Measured | None) -> str:
    if measured is None:
        return ""
    mark = LOADED if measured.loaded else ""
    return f"{_milliseconds(measured.median)} ({_milliseconds(measured.minimum)}){mark}"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f}" if seconds >= 0.1 else f"{seconds * 1000:.1f}"


def against_goals(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Every ratio that has a goal."""
    yield "| workload | beside | ratio of medians | of minima | goal | ratio to goal | |"
    yield "|---|---|---|---|---|---|---|"
    for ratio in _ratios(outcomes):
        if ratio.to_goal is not None:
            yield (
                f"| {ratio.workload} | {ratio.peer} | {ratio.of_medians:.3f} | {ratio.of_minima:.3f} "
                f"| <= {ratio.goal} | {ratio.to_goal:.2f} | {'**missed**' if ratio.missed else 'reached'} |"
            )


def _ratios(outcomes: Sequence[Outcome]) -> list[Ratio]:
    return [ratio for outcome in outcomes for ratio in outcome.ratios]


def notes(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What a reader of the tables needs to know of single workloads."""
    for outcome in outcomes:
        if outcome.case.note:
            yield f"* {outcome.case.name}: {outcome.case.note}."
        started = [
            f"{name} {_options(_way(outcome, name))}" for name in outcome.case.options if name in outcome.measured
        ]
        if started:
            yield f"* {outcome.case.name}, started with: {'; '.join(started)}."
        tried = [
            f"{trial.engine} {_options(trial.options)} ({_milliseconds(trial.seconds)} ms)" for trial in outcome.trials
        ]
        if tried:
            yield f"* {outcome.case.name}, tried: {'; '.join(tried)}."
        repeated = {name: found.repeated for name, found in outcome.measured.items() if found.repeated}
        if repeated:
            yield f"* {outcome.case.name}, loaded samples taken again: {_counts(repeated)}."


def _way(outcome: Outcome, name: str) -> Mapping[str, Any]:
    """How an engine was started."""
    ways = outcome.case.options[name]
    return ways[0] if len(ways) == 1 else fastest(outcome.trials, name).options


def _options(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{value} {name}" for name, value in options.items())


def _counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in numbers.items())


def page(document: Mapping[str, Any], outcomes: Sequence[Outcome]) -> str:
    """Everything, with the closing line at its end."""
    about = document["machine"]
    versions = {
        name: version for packages in document["versions"].values() for name, version in sorted(packages.items())
    }
    idle = ", ".join(f"{name} {cores:.3f}" for name, cores in document["idle_cores"].items())
    missed = [ratio for ratio in _ratios(outcomes) if ratio.missed]
    with_goal = [ratio for ratio in _ratios(outcomes) if ratio.goal is not None]
    return "\n".join(
        [
            f"{about['date']}, {about['cores']} cores of {about['processor']}, {about['memory']}, {about['system']}, "
            f"Python {about['python']}; {_counts(versions)}. It took {document['seconds'] / 60:.1f} minutes.",
            "",
            f"Medians in ms, minima in brackets. {LOADED}: some samples were taken while others used more "
            f"than {document['limit']} cores.",
            "",
            *times(outcomes),
            "",
            f"Goals reached: {len(with_goal) - len(missed)} of {len(with_goal)}.",
            "",
            *against_goals(outcomes),
            "",
            *notes(outcomes),
            f"* Cores that engines use when they have nothing to do: {idle}.",
            "",
            *(f"FAILED {error.splitlines()[0]}" for outcome in outcomes for error in outcome.errors),
            closing_line(_ratios(outcomes)),
        ]
    )
