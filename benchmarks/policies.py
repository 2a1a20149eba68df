"""`make bench-policies`: the policies inside one engine, and what each of their mechanisms brings.

Every policy runs the same graphs on the same warm cluster, in turns; each round begins with another one. There is one
cluster for each number of environments, bare and with the latencies of AWS. Results are compared with Dask's.
"""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import load
from benchmarks.outcome import FOLDER, publish
from benchmarks.policy_cases import PLACES, Case, Place, cases
from benchmarks.policy_goals import Finding, goals
from benchmarks.policy_measuring import expected, measure
from benchmarks.policy_tables import sections
from benchmarks.sampling import LIMIT


def run(chosen: Sequence[Case], places: Sequence[Place], folder: Path) -> int:
    """Measure cases in places, print what was found and write it into the folder; 1 if a goal is missed.

    Raises:
        SystemExit: A policy computed something else than Dask.
    """
    began = time.monotonic()
    values = {case.name: expected(case) for case in chosen}
    findings: list[Finding] = []
    for place in places:
        for environments in sorted({case.environments[place.name] for case in chosen}):
            alike = [case for case in chosen if case.environments[place.name] == environments]
            findings += measure([(case, values[case.name]) for case in alike], place, environments)
            print(
                f"{place.name}, {environments} environments: {time.monotonic() - began:.0f} s so far", file=sys.stderr
            )
    order = [case.name for case in chosen]
    findings.sort(key=lambda finding: order.index(finding.case))
    seconds = time.monotonic() - began
    found = [goal for finding in findings for goal in goals(finding)]
    data = {"seconds": seconds, "limit": LIMIT, "cases": [as_document(finding) for finding in findings]}
    return publish(
        "policies", [f"It took {seconds / 60:.1f} minutes.", *sections(findings, LIMIT)], found, data, folder
    )


def as_document(finding: Finding) -> dict[str, Any]:
    """All that was measured of a case, ready for JSON."""
    document = dataclasses.asdict(finding)
    for measured in document["measured"].values():
        for sample in measured["samples"]:
            del sample["reports"]  # what they say is in `counts`
    return document


def main() -> int:
    """Run everything, or those workloads whose names have a word in them; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policies", description=__doc__)
    parser.add_argument("--samples", type=int, default=5, help="of policies whose times have a goal (%(default)s)")
    parser.add_argument("--others", type=int, default=3, help="at most, of stateless (%(default)s)")
    parser.add_argument(
        "--ablations", type=int, default=2, help="at most, of policies without a mechanism (%(default)s)"
    )
    parser.add_argument("--only", default="", help="a word in the names of the workloads to run")
    parser.add_argument("--place", choices=[place.name for place in PLACES], help="one place only")
    asked = parser.parse_args()
    load.adopt_orphans()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = [case for case in cases(asked.samples, asked.others, asked.ablations) if asked.only in case.name]
    return run(chosen, [place for place in PLACES if asked.place in (None, place.name)], FOLDER)


if __name__ == "__main__":
    sys.exit(main())
