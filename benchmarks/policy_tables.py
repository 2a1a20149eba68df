"""What `make bench-policies` found, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.outcome import table
from benchmarks.policy_cases import HEARTBEAT, PUBLISHED, STATELESS
from benchmarks.policy_goals import Finding
from benchmarks.sampling import LOADED
from wukong.engine.policy.named import ABLATIONS

_COUNTED = ("invocations", "round trips", "read, MB", "written, MB", "GB-seconds", "cost")


def sections(findings: Sequence[Finding], limit: float) -> list[str]:
    """Everything but the goals. `limit` is the foreign use of the processors above which a sample is loaded."""
    lacking = list(_ablations(findings))
    return [
        f"Times are medians in ms, minima in brackets. {LOADED}: some samples were taken while other programs used "
        f"more than {limit:g} cores.",
        table(("workload", "policy", "time", *_COUNTED), _policies(findings)),
        *(
            [
                "Times are multiples of the whole policy's.",
                table(("workload", "policy", "without", "time", *_COUNTED), lacking),
            ]
            if lacking
            else []
        ),
    ]


def _policies(findings: Sequence[Finding]) -> Iterator[tuple[str, ...]]:
    """The three policies at every workload."""
    for finding in findings:
        for policy in (HEARTBEAT, PUBLISHED, STATELESS):
            if measured := finding.measured.get(policy):
                mark = LOADED if measured.loaded else ""
                time = f"{measured.median * 1000:,.0f} ({measured.minimum * 1000:,.0f}){mark}"
                yield finding.workload, f"`{policy}`", time, *_cells(finding, policy)


def _ablations(findings: Sequence[Finding]) -> Iterator[tuple[str, ...]]:
    """What becomes of each policy without each of its mechanisms."""
    for finding in findings:
        for base in (HEARTBEAT, PUBLISHED):
            lacking = [name for name in ABLATIONS if name.startswith(f"{base} ") and name in finding.measured]
            for name in (base, *lacking) if lacking else ():
                times = finding.measured[name].median / finding.measured[base].median
                lacks = name.partition(" without ")[2] or "nothing"
                yield finding.workload, f"`{base}`", lacks, f"{times:.2f} ×", *_cells(finding, name)


def _cells(finding: Finding, policy: str) -> tuple[str, ...]:
    counted = finding.counts[policy]
    return (
        f"{counted['invocations']:,.0f}",
        f"{counted['round_trips']:,.0f}",
        f"{counted['bytes_read'] / 1e6:,.2f}",
        f"{counted['bytes_written'] / 1e6:,.2f}",
        f"{counted['gb_seconds']:,.2f}",
        f"${counted['cost_usd']:.6f}",
    )
