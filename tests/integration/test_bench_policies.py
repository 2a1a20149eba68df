"""`make bench-policies` at a tiny size: it compares results, and writes what it found."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from benchmarks import policy_measuring
from benchmarks.arrays import tsqr
from benchmarks.policies import run
from benchmarks.policy_cases import PLACES, Case, Place, samples
from benchmarks.workloads import Asked, tree

TWO = {"bare": 2, "AWS": 2}

#: Of either graph.
LEAVES = 4


@pytest.fixture(autouse=True)
def one_run_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_measuring, "SAMPLE_RUNS", 1)
    monkeypatch.setattr(policy_measuring, "REPEATS", 0)


@pytest.mark.parametrize(
    ("place", "case"),
    [
        (PLACES[0], Case("TR tiny", partial(tree, 4), TWO, samples(1, 1, 1))),
        (PLACES[1], Case("TSQR tiny", partial(tsqr, 512, 8, 128), TWO, samples(2, 1, 0))),
    ],
    ids=["bare", "AWS"],
)
def test_policies_take_turns_and_what_they_did_is_written_down(tmp_path: Path, place: Place, case: Case) -> None:
    run([case], [place], tmp_path)
    (found,) = json.loads((tmp_path / "policies.json").read_text())["cases"]
    assert (found["case"], found["place"]) == (case.name, place.name)
    assert {policy: len(measured["samples"]) for policy, measured in found["measured"].items()} == case.samples
    invocations = {policy: counted["invocations"] for policy, counted in found["counts"].items()}
    assert invocations["stateless"] == found["tasks"]
    assert invocations["wukong2020"] == LEAVES
    page = (tmp_path / "policies.md").read_text()
    assert page.splitlines()[-1].startswith("worst ratio to goal: ")
    for policy in case.samples:
        name, _, lacks = policy.partition(" without ")
        assert f"| {case.name}, {place.name} | `{name}` | {lacks}" in page


def test_a_result_that_differs_ends_the_run(tmp_path: Path) -> None:
    answers = iter([0, 1])

    def build() -> Asked:
        return {"answer": next(answers)}, "answer"

    with pytest.raises(SystemExit, match="'heartbeat' is not what Dask computes"):
        run([Case("one that changes", build, TWO, {"heartbeat": 1})], PLACES[:1], tmp_path)
    assert not list(tmp_path.iterdir())
