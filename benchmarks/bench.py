"""The shell of `make bench`: starts engines, gives them their turns, and ends them.

Engines that are started as usual stay for the whole run. All but the one whose turn it is are frozen: an idle engine
uses up to a tenth of a core, which would slow all others down, and not itself.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import load
from benchmarks.cases import SYNCHRONOUS, Case
from benchmarks.comparison import Ratio, ratios
from benchmarks.engine import EngineFailed, EngineProcess, options_key
from benchmarks.sampling import LIMIT, SAMPLE_SECONDS, Measured, Rounds, Sample, Trial, fastest

#: Runs in a sample, at most.
SAMPLE_RUNS = 30
#: Seconds after which an engine's run counts as stuck.
PATIENCE = 300.0
#: Seconds that an engine gets to catch up with what it missed while it was frozen.
THAW_SECONDS = 0.3
#: Seconds for which an engine that has nothing to do is watched.
IDLE_SECONDS = 2.0


@dataclass
class Outcome:
    """What was measured of one case.

    Attributes:
        tasks: In its graph.
        measured: By engine.
        ratios: Wukong beside each peer.
        trials: How fast engines were that could be started in several ways.
        errors: What engines said that failed, or whose results differ.
    """

    case: Case
    tasks: int = 0
    measured: dict[str, Measured] = field(default_factory=dict)
    ratios: list[Ratio] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Bench:
    """Engines, and the measuring of cases with them. Closing it ends them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._engines: dict[tuple[str, str], EngineProcess] = {}
        self.versions: dict[str, dict[str, str]] = {}
        self.idle_cores: dict[str, float] = {}

    def measure(self, case: Case, repeats: int) -> Outcome:
        """Take all samples of a case, and loaded ones again, so often for each engine at most."""
        with ExitStack() as own:
            return self._measure(case, repeats, own)

    def _measure(self, case: Case, repeats: int, own: ExitStack) -> Outcome:
        outcome = Outcome(case)
        result = self._folder / "result.pickle"
        prepare = {"builder": case.builder, "arguments": dict(case.arguments), "result": str(result)}
        reference = self._engine(SYNCHRONOUS, {}, own)
        outcome.tasks = self._ask(reference, "prepare", write=True, **prepare)["tasks"]
        taking: dict[str, EngineProcess] = {}
        for name in case.samples:
            try:
                taking[name] = self._prepared(outcome, name, prepare, own)
            except EngineFailed as error:
                self._failed(outcome, name, taking, error)
        result.unlink()
        rounds = Rounds({name: case.samples[name] for name in taking}, LIMIT, repeats)
        while names := [name for name in rounds.next_round() if name in taking]:
            for name in names:
                try:
                    rounds.add(name, self._sample(taking[name]))
                except EngineFailed as error:
                    self._failed(outcome, name, taking, error)
        outcome.measured = {name: found for name, found in rounds.measured().items() if name in taking}
        outcome.ratios = ratios(case.name, outcome.measured, case.goals)
        return outcome

    def _prepared(self, outcome: Outcome, name: str, prepare: Mapping[str, Any], own: ExitStack) -> EngineProcess:
        """An engine that has run the workload once; where it may be started in several ways, as it is fastest."""
        ways = outcome.case.options.get(name, ({},))
        best: EngineProcess | None = None
        for options in ways:
            engine = self._engine(name, options, own)
            if name != SYNCHRONOUS:
                self._same(self._ask(engine, "prepare", write=False, **prepare), name)
            if len(ways) > 1:
                trial = Trial(name, options, min(self._sample(engine).runs))
                outcome.trials.append(trial)
                engine, other = (engine, best) if fastest(outcome.trials, name) is trial else (best or engine, engine)
                if other is not None:
                    self._end(other.key)
            best = engine
        assert best is not None
        return best

    def _engine(self, name: str, options: Mapping[str, Any], own: ExitStack) -> EngineProcess:
        if (name, options_key(options)) in self._engines:
            return self._engines[name, options_key(options)]
        engine = EngineProcess(name, options, self._folder)
        (own if options else self._stack).callback(self._end, engine.key)
        self._engines[engine.key] = engine
        self.versions[name] = engine.versions
        if name not in self.idle_cores:
            before = load.used_by(load.processes(), engine.pid)
            time.sleep(IDLE_SECONDS)
            self.idle_cores[name] = (load.used_by(load.processes(), engine.pid) - before) / IDLE_SECONDS
        engine.freeze()
        return engine

    def _ask(self, engine: EngineProcess, request: str, **given: Any) -> dict[str, Any]:
        engine.thaw()
        time.sleep(THAW_SECONDS)
        answer = engine.ask(request, PATIENCE, **given)
        engine.freeze()
        return answer

    def _end(self, key: tuple[str, str]) -> None:
        engine = self._engines.pop(key, None)
        if engine is not None:
            engine.close()

    def _sample(self, engine: EngineProcess) -> Sample:
        found = self._ask(engine, "sample", seconds=SAMPLE_SECONDS, most=SAMPLE_RUNS)
        self._same(found, engine.name)
        return Sample(found["runs"], found["foreign"])

    def _same(self, answer: dict[str, Any], name: str) -> None:
        if answer["differs"] is not None:
            raise EngineFailed(f"{name} computed something else than {SYNCHRONOUS}: {answer['differs']}")

    def _failed(self, outcome: Outcome, name: str, taking: dict[str, EngineProcess], error: EngineFailed) -> None:
        """Go on without an engine; the next case starts it anew."""
        outcome.errors.append(f"{outcome.case.name}: {error}")
        print(outcome.errors[-1], file=sys.stderr)
        taking.pop(name, None)
        for key in [key for key in self._engines if key[0] == name]:
            self._end(key)

    def close(self) -> None:
        """End every engine."""
        self._stack.close()


def as_document(outcomes: Sequence[Outcome], bench: Bench, about: dict[str, Any]) -> dict[str, Any]:
    """All that was measured, for JSON."""
    return {
        **about,
        "versions": bench.versions,
        "idle_cores": bench.idle_cores,
        "cases": [_as_entry(outcome) for outcome in outcomes],
    }


def _as_entry(outcome: Outcome) -> dict[str, Any]:
    found = [asdict(ratio) | {"to_goal": ratio.to_goal, "missed": ratio.missed} for ratio in outcome.ratios]
    return asdict(outcome) | {
        "case": outcome.case.name,
        "title": outcome.case.title,
        "note": outcome.case.note,
        "ratios": found,
    }
