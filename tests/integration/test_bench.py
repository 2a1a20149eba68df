"""The driver of `make bench` with real engines, at tiny sizes: what it computes, what it refuses, what it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from benchmarks import load, tables
from benchmarks.__main__ import run
from benchmarks.bench import Bench
from benchmarks.cases import SYNCHRONOUS, Case
from benchmarks.engine import EngineFailed, EngineProcess

ROOT = Path(__file__).parents[2]
BOTH = {"Wukong": 2, SYNCHRONOUS: 2}
OWN_ID = "tests.integration.bench_graphs:own_id"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test looks at is not how fast something is."""
    for name, value in {"SAMPLE_SECONDS": 0.0, "THAW_SECONDS": 0.0, "IDLE_SECONDS": 0.1}.items():
        monkeypatch.setattr(f"benchmarks.bench.{name}", value)


def test_two_engines_and_two_workloads(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cases = [
        Case("T1", "chain", "benchmarks.workloads:chain", {"length": 20}, {SYNCHRONOUS: 1.0}, BOTH),
        Case("T2", "QR", "benchmarks.arrays:qr", {"size": 16, "chunk": 8}, {}, BOTH),
    ]
    assert run(cases, tmp_path, "bench", 0) == 0
    document = json.loads((tmp_path / "bench.json").read_text())
    chain, qr = document["cases"]
    assert (chain["case"], chain["title"], chain["tasks"], chain["errors"]) == ("T1", "chain", 20, [])
    for case in (chain, qr):
        assert {name: len(found["samples"]) for name, found in case["measured"].items()} == BOTH
        for found in case["measured"].values():
            assert 0 < found["minimum"] <= found["median"]
    (ratio,) = chain["ratios"]
    medians = {name: found["median"] for name, found in chain["measured"].items()}
    assert ratio["of_medians"] == pytest.approx(medians["Wukong"] / medians[SYNCHRONOUS])
    assert document["versions"]["Wukong"].keys() == {"wukong", "dask", "numpy"}
    assert set(document["idle_cores"]) == set(BOTH)
    text = (tmp_path / "bench.md").read_text()
    assert text.splitlines()[-1] == f"worst ratio to goal: {ratio['of_medians']:.2f} (T1, {SYNCHRONOUS})"
    assert capfd.readouterr().out == text


def test_an_engine_that_may_be_started_in_several_ways_is_started_as_it_is_fastest(tmp_path: Path) -> None:
    asleep = {"leaves": 4, "seconds": 0.25}
    ways = {"Dask threaded": [{"threads": 1}, {"threads": 4}]}
    case = Case("T5", "asleep", "benchmarks.workloads:tree", asleep, {}, {"Dask threaded": 1}, ways)
    bench = Bench(tmp_path)
    try:
        outcome = bench.measure(case, 0)
        assert [key[0] for key in bench._engines] == [SYNCHRONOUS]
    finally:
        bench.close()
    assert [trial.options for trial in outcome.trials] == ways["Dask threaded"]
    assert outcome.trials[0].seconds > 1
    (started, tried) = tables.notes([outcome])
    assert started == "* T5, started with: Dask threaded 4 threads."
    assert tried.startswith("* T5, tried: Dask threaded 1 threads (1,")


def test_results_that_differ_fail_the_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    samples = {SYNCHRONOUS: 1, "Dask multiprocessing": 1}
    assert run([Case("T3", "process", OWN_ID, {}, {}, samples)], tmp_path, "bench", 0) == 1
    (case,) = json.loads((tmp_path / "bench.json").read_text())["cases"]
    assert list(case["measured"]) == [SYNCHRONOUS]
    (error,) = case["errors"]
    assert error.startswith("T3: Dask multiprocessing computed something else than Dask synchronous: result is")
    assert "FAILED T3: Dask multiprocessing" in capfd.readouterr().out


def test_an_engine_s_error_says_what_it_raised(tmp_path: Path) -> None:
    with EngineProcess(SYNCHRONOUS, {}, tmp_path) as engine:
        asked: dict[str, Any] = {"builder": OWN_ID, "arguments": {"wrong": 1}, "result": "", "write": True}
        with pytest.raises(EngineFailed, match=r"Dask synchronous raised:(?s:.*)TypeError"):
            engine.ask("prepare", 60, **asked)
        os.kill(engine.pid, signal.SIGKILL)
        with pytest.raises(EngineFailed, match="Dask synchronous has ended"):
            engine.ask("sample", 60, seconds=0, most=1)


def test_an_engine_that_does_not_answer_is_stuck(tmp_path: Path) -> None:
    asked = {"builder": "benchmarks.workloads:tree", "arguments": {"leaves": 2, "seconds": 600}}
    with (
        EngineProcess("Dask multiprocessing", {}, tmp_path) as engine,
        pytest.raises(EngineFailed, match="Dask multiprocessing did not answer within 1 s"),
    ):
        engine.ask("prepare", 1, result=str(tmp_path / "result"), write=True, **asked)
    assert load.tree(load.processes(), engine.pid) == {}


PROGRAM = """
import sys
from pathlib import Path
from benchmarks.__main__ import run
from benchmarks.cases import Case
case = Case("T4", "asleep", "tests.integration.bench_graphs:asleep_there", {}, {}, {"Dask threaded": 1})
run([case], Path(sys.argv[1]), "bench", 0)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_engine_outlives_the_driver(tmp_path: Path, number: signal.Signals) -> None:
    """One engine is frozen, the other one in the middle of a task."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stderr=subprocess.DEVNULL,
    ) as driver:
        until = time.monotonic() + 60
        while not list(tmp_path.glob("wb-*/asleep")):
            assert time.monotonic() < until
        family = load.tree(load.processes(), driver.pid)
        assert len(family) == 3
        driver.send_signal(number)
        driver.wait(60)
    while left := [pid for pid in family if (found := load.processes().get(pid)) and found.born == family[pid].born]:
        assert time.monotonic() < until, left
    if number == signal.SIGINT:
        assert not list(tmp_path.glob("wb-*"))


def test_an_engine_that_is_asked_again_is_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    try:
        case = Case("T3", "process", OWN_ID, {}, {}, {SYNCHRONOUS: 1})
        assert bench.measure(case, 0).errors == bench.measure(case, 0).errors == []
        (engine,) = bench._engines.values()
    finally:
        bench.close()
    assert load.tree(load.processes(), engine.pid) == {}
