"""`make bench`: Wukong beside its peers, in one run. See docs/performance.md."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import load
from benchmarks.bench import Bench, as_document
from benchmarks.cases import CASES, QUICK, QUICK_CASES, Case, hurried
from benchmarks.engine import PEERS, ROOT
from benchmarks.machine import describe
from benchmarks.sampling import LIMIT
from benchmarks.tables import page

OUT = ROOT / "build/bench"
#: Loaded samples of an engine that are taken again, at most, in each workload; and in a quick run.
REPEATS, QUICK_REPEATS = 3, 1
#: Seconds after which a run hurries, so that it ends within 25 minutes: no sample is taken again, and engines without a
#: goal are left out.
LATE = 1020.0


def run(cases: Sequence[Case], out: Path, name: str, repeats: int) -> int:
    """Measure cases, write `name`.md and `name`.json into `out`, and print the page; 1 if something failed.

    Of each engine's loaded samples in a workload at most `repeats` are taken again.
    """
    began = time.monotonic()
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="wb-", ignore_cleanup_errors=True) as folder:
        bench = Bench(Path(folder))
        try:
            for case in cases:
                late = time.monotonic() - began > LATE
                outcomes.append(bench.measure(hurried(case), 0) if late else bench.measure(case, repeats))
                print(f"{case.name}: {time.monotonic() - began:.0f} s so far", file=sys.stderr)
        finally:
            bench.close()
    about: dict[str, Any] = {"machine": describe(), "seconds": time.monotonic() - began, "limit": LIMIT}
    document = as_document(outcomes, bench, about)
    text = page(document, outcomes)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(document, indent=2))
    (out / f"{name}.md").write_text(text + "\n")
    print(text)
    return int(any(outcome.errors for outcome in outcomes))


def main() -> int:
    """Run everything, or what is for daily use."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="some workloads beside some peers, in three minutes")
    quick = parser.parse_args().quick
    load.adopt_orphans()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if quick:
        return run([replace(case, samples=QUICK) for case in QUICK_CASES], OUT, "bench-quick", QUICK_REPEATS)
    failed = run(CASES, OUT, "bench", REPEATS)
    subprocess.run([PEERS, "-m", "benchmarks.plots", OUT / "bench.json", OUT], cwd=ROOT, check=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
