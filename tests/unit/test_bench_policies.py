"""What `make bench-policies` says, given what was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.policy_cases import GEMM, PLACES, TSQR, ZERO_WORK, cases, samples
from benchmarks.policy_goals import Finding, PolicySample, counts, goals
from benchmarks.policy_tables import sections
from benchmarks.sampling import Measured

from wukong.client.report import Report, TimeSpent
from wukong.engine.policy.named import ABLATIONS, POLICIES, check_policy

REPORT = Report(0, 3, 3, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0.0, 0.0, TimeSpent(), ())


def measured(seconds: float, *reports: Report) -> Measured:
    sample = PolicySample([seconds], 0.0, reports or [REPORT])
    return Measured(seconds, seconds, [sample], 0, 0)


def finding(case: str, **by_policy: Measured) -> Finding:
    return Finding(case, "bare", 2, 7, by_policy, {name: counts(found) for name, found in by_policy.items()})


def test_counts_are_medians_over_all_runs() -> None:
    reports = [replace(REPORT, bytes_read=value, invocations=4) for value in (10, 900, 20)]
    found = counts(measured(1.0, *reports))
    assert (found["bytes_read"], found["invocations"]) == (20, 4)


def test_heartbeat_may_take_a_little_longer_and_half_as_long_where_there_is_no_work() -> None:
    quick = measured(1.0)
    (goal,) = goals(finding(TSQR, heartbeat=measured(1.26), wukong2020=quick))
    assert goal.name == f"{TSQR}, bare, time beside wukong2020"
    assert goal.ratio == pytest.approx(1.26 / 1.05)
    (goal,) = goals(finding(ZERO_WORK, heartbeat=measured(0.3), wukong2020=quick))
    assert (goal.found, goal.most, goal.unit) == (30, 50, "%")


@pytest.mark.parametrize(
    ("case", "field", "share", "ratio"),
    [(TSQR, "bytes_written", 0.02, 2.0), (TSQR, "bytes_written", 0.005, 0.5), (GEMM, "bytes_read", 0.4, 0.8)],
)
def test_bytes_are_held_against_those_without_state(case: str, field: str, share: float, ratio: float) -> None:
    ours = measured(1.0, replace(REPORT, **{field: int(share * 1_000_000)}))
    theirs = measured(1.0, replace(REPORT, **{field: 1_000_000}))
    (goal,) = goals(finding(case, heartbeat=ours, stateless=theirs))
    assert goal.name == f"{case}, bare, {field.replace('_', ' ')} beside stateless"
    assert goal.ratio == pytest.approx(ratio)


def test_what_was_not_measured_has_no_goal() -> None:
    assert list(goals(finding(TSQR, heartbeat=measured(1.0)))) == []
    assert list(goals(finding("another", wukong2020=measured(1.0), stateless=measured(1.0)))) == []


def test_there_is_a_line_for_each_policy_and_each_that_lacks_a_mechanism() -> None:
    found = finding(
        TSQR,
        **{
            "heartbeat": measured(1.0, replace(REPORT, bytes_written=2_000_000, cost_usd=0.25)),
            "stateless": measured(4.0, replace(REPORT, bytes_written=100_000_000)),
            "heartbeat without delayed-io": measured(1.5, replace(REPORT, bytes_written=30_000_000)),
        },
    )
    lines = "\n".join(sections([found], 0.2)).splitlines()
    assert f"| {TSQR}, bare | `heartbeat` | 1,000 (1,000) | 1 | 0 | 0.00 | 2.00 | 0.00 | $0.250000 |" in lines
    assert f"| {TSQR}, bare | `stateless` | 4,000 (4,000) | 1 | 0 | 0.00 | 100.00 | 0.00 | $0.000000 |" in lines
    lacking = [line for line in lines if line.startswith(f"| {TSQR}, bare | `heartbeat` |") and " × |" in line]
    assert lacking == [
        f"| {TSQR}, bare | `heartbeat` | nothing | 1.00 × | 1 | 0 | 0.00 | 2.00 | 0.00 | $0.250000 |",
        f"| {TSQR}, bare | `heartbeat` | delayed-io | 1.50 × | 1 | 0 | 0.00 | 30.00 | 0.00 | $0.000000 |",
    ]


def test_times_from_a_busy_machine_are_marked_and_there_is_no_table_without_rows() -> None:
    busy = finding(TSQR, heartbeat=replace(measured(1.0), loaded=1))
    text = "\n".join(sections([busy], 0.2))
    assert "1,000 (1,000)°" in text
    assert "more than 0.2 cores" in text
    assert "without" not in text


def test_every_case_has_a_cluster_in_every_place_and_policies_that_exist() -> None:
    for case in cases(5, 3, 2):
        assert case.environments.keys() == {place.name for place in PLACES}
        assert case.samples["heartbeat"] == case.samples["wukong2020"] == 5
        assert all(check_policy(policy) == policy for policy in case.samples)
    assert samples(5, 3, 2).keys() == {*POLICIES, *ABLATIONS}
    assert samples(5, 0, 0).keys() == {"heartbeat", "wukong2020"}
    assert {TSQR, GEMM, ZERO_WORK} < {case.name for case in cases(1, 1, 1)}
