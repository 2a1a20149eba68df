"""How policies stand to each other and to their goals, given what was measured. No I/O."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.outcome import Goal
from benchmarks.policy_cases import GEMM, HEARTBEAT, PUBLISHED, STATELESS, TSQR, ZERO_WORK
from benchmarks.sampling import Measured, Sample
from wukong.client.report import Report

#: Heartbeat's time in % of that of the published policy, at most; and where no task has any work.
TIME_GOAL = 105
ZERO_WORK_GOAL = 50

#: Case -> field of the report, and heartbeat's in % of that of `stateless`, at most.
BYTE_GOALS: Mapping[str, tuple[str, float]] = {TSQR: ("bytes_written", 1), GEMM: ("bytes_read", 50)}

#: The numbers of a report that are compared.
COUNTS = ("executors", "invocations", "round_trips", "bytes_read", "bytes_written", "gb_seconds", "cost_usd")


@dataclass(frozen=True)
class PolicySample(Sample):
    """A sample, with the report of each run in it."""

    reports: Sequence[Report] = ()


@dataclass(frozen=True)
class Finding:
    """What was measured of one case in one place.

    Attributes:
        case: Its name.
        place: The place's.
        environments: Of the cluster.
        tasks: That were asked for.
        measured: By policy.
        counts: Policy -> field of the report -> median over the runs that count.
    """

    case: str
    place: str
    environments: int
    tasks: int
    measured: Mapping[str, Measured]
    counts: Mapping[str, Mapping[str, float]]

    @property
    def workload(self) -> str:
        """The case and its place, in tables."""
        return f"{self.case}, {self.place}"


def counts(measured: Measured) -> dict[str, float]:
    """The medians of what reports say."""
    reports = [report for sample in measured.samples if isinstance(sample, PolicySample) for report in sample.reports]
    return {name: statistics.median(getattr(report, name) for report in reports) for name in COUNTS}


def goals(finding: Finding) -> Iterator[Goal]:
    """The goals of one case, as far as the policies that they compare were measured."""
    measured, counted = finding.measured, finding.counts
    if HEARTBEAT in measured and PUBLISHED in measured:
        most = ZERO_WORK_GOAL if finding.case == ZERO_WORK else TIME_GOAL
        found = 100 * measured[HEARTBEAT].median / measured[PUBLISHED].median
        yield Goal(f"{finding.workload}, time beside {PUBLISHED}", found, most, "%")
    if finding.case in BYTE_GOALS and HEARTBEAT in measured and STATELESS in measured:
        field, limit = BYTE_GOALS[finding.case]
        found = 100 * counted[HEARTBEAT][field] / counted[STATELESS][field]
        yield Goal(f"{finding.workload}, {field.replace('_', ' ')} beside {STATELESS}", found, limit, "%")
