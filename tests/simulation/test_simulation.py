"""Whole clusters in virtual time keep every promise, whatever a seed lets happen to them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from tests.simulation import mutations
from tests.simulation.__main__ import main
from tests.simulation.mutations import MUTATIONS, catch, run_broken
from tests.simulation.story import tell
from tests.simulation.world import simulate

from wukong.testing.simulation.plan import FAULTS, draw

SEEDS = 500


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_promise_is_kept(seed: int) -> None:
    if simulate(seed).broken:
        pytest.fail(tell(simulate(seed, tracing=True)), pytrace=False)


def test_the_seeds_have_every_fault_and_most_jobs_are_done() -> None:
    outcomes = [simulate(seed, tasks=12) for seed in range(400)]
    happened = {fault for outcome in outcomes for fault in outcome.happened}
    assert happened == FAULTS.keys() - {"raise", "budget"}  # which are parts of their jobs
    ends = [end for outcome in outcomes for end in outcome.ends]
    assert ends.count("done") > len(ends) / 2
    assert {"TaskError", "BudgetExceeded", "cancelled", "ExecutorLost"} <= set(ends)


def test_a_death_that_the_platform_reports_is_looked_at_at_once() -> None:
    traces = [simulate(seed, tasks=20, faults=["crash"], tracing=True).trace for seed in range(60)]
    scheduler = [[line.split() for line in trace if "scheduler-0" in line] for trace in traces]
    # Nothing is found where the record has ended, or has another holder, by the time that the word comes.
    found = [
        (line, following)
        for lines in scheduler
        for line, following in pairwise(lines)
        if line[2:4] == ["is", "told"] and following[2] in ("finds", "fails")
    ]
    assert len(found) > 10
    for told, following in found:
        assert float(following[0]) - float(told[0]) < 0.3  # a message; the lease is 0.8 s at least


@pytest.mark.parametrize("seed", [1, 30, 42])
def test_a_seed_is_one_run(seed: int) -> None:
    first, second = (simulate(seed, tracing=True) for _ in range(2))
    assert first.trace == second.trace
    assert first.trace
    assert simulate(seed).events == first.events


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_system_that_is_broken_on_purpose_is_caught(mutation: str) -> None:
    assert catch(mutation, range(SEEDS)) is not None


def test_a_failing_seed_is_told_with_the_command_that_replays_it(capsys: pytest.CaptureFixture[str]) -> None:
    with MUTATIONS["mark before the value is written"].breaks():
        assert main(["--seeds", "40"]) == 1
        *_, replay, faults, jobs, speed, end = capsys.readouterr().out.splitlines()
        passed, failed = map(int, re.findall(r"\d+", end))
        assert end == f"{passed} passed, {failed} failed"
        assert (passed + failed, faults.split()[0], jobs.split()[0]) == (40, "faults:", "jobs:")
        assert speed.endswith(" seeds a minute")
        command, seed = replay.strip().split("=")
        assert command == "replay: make simulation SEED"
        assert main([seed]) == 1
        story = capsys.readouterr().out
        assert "broken: write before count: " in story
        assert story.endswith(f"replay: make simulation SEED={seed}\n")
    assert main([seed]) == 0
    assert capsys.readouterr().out.endswith("every promise is kept\n")


def test_what_is_broken_on_purpose_is_told_with_the_seed_that_caught_it(capsys: pytest.CaptureFixture[str]) -> None:
    name = "drop the token check"
    caught = catch(name, range(SEEDS))
    assert caught is not None
    assert main([str(caught.plan.seed), "--mutation", name]) == 1
    assert capsys.readouterr().out.endswith(
        f"replay: python -m tests.simulation {caught.plan.seed} --mutation '{name}'\n"
    )


def test_a_mutation_that_does_not_fit_catches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutations, "_sync", None)
    name = "end although something was claimed"
    assert run_broken(name, 0).promise == "code"
    assert catch(name, range(3)) is None


def test_many_seeds_end_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "40", "--tasks", "5", "--faults", "crash"]) == 0
    assert capsys.readouterr().out.endswith(" seeds a minute\n40 passed, 0 failed\n")


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no fault 'rain'"):
        draw(0, faults=["rain"])
