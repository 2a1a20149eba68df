"""Run every example on one embedded cluster and print what each one cost; exits 1 when a check fails."""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from typing import Any

from wukong import Client, Job, LocalCluster
from wukong.client.report import Report

#: The examples in the order of the documentation, with smaller sizes where the documented ones would take
#: minutes on two cores.
EXAMPLES: dict[str, dict[str, Any]] = {
    "svd_tall": {},
    "svd_square": {},
    "qr": {},
    "tsqr": {},
    "cholesky": {},
    "gemm": {"size": 5_000, "chunk": 1_000},
    "svc": {"sizes": (20_000, 40_000)},
    "flights": {},
    "digits": {},
}

HEAD = ("example", "check", "time", "executors", "invocations", "round trips", "read", "written", "")
ROW = "{:<11} {:<6} {:>8} {:>9} {:>11} {:>11} {:>11} {:>11}   {}"


class Meter(Client):
    """A client that remembers what its jobs cost."""

    def __init__(self, cluster: LocalCluster) -> None:
        super().__init__(cluster)
        self._seconds = 0.0
        self._jobs: list[Job] = []

    def get(self, dsk: Any, keys: Any, **options: Any) -> Any:
        """Compute and count."""
        begun = time.perf_counter()
        values = super().get(dsk, keys, **options)
        self._seconds += time.perf_counter() - begun
        return values

    def submit_graph(self, dsk: Any, keys: Any, **options: Any) -> Job:
        """Start and remember a job: every one comes by here, also those whose values stay in the cluster."""
        self._jobs.append(super().submit_graph(dsk, keys, **options))
        return self._jobs[-1]

    def take(self) -> tuple[float, list[Report]]:
        """The seconds spent in `get`, and the reports of all jobs, since this was asked last."""
        seconds, jobs = self._seconds, self._jobs
        self._seconds, self._jobs = 0.0, []
        return seconds, [job.report() for job in jobs]


def main() -> int:
    """Run them all; the number of examples whose check failed decides the exit status."""
    failed = 0
    # Before the cluster starts: it prepares its environments with what this program has imported by then.
    modules = {name: importlib.import_module(f"examples.{name}") for name in EXAMPLES}
    begun = time.perf_counter()
    with LocalCluster() as cluster, Meter(cluster) as meter:
        print(f"cluster ready in {time.perf_counter() - begun:.2f} s at {cluster.address}\n")
        print(ROW.format(*HEAD))
        for name, sizes in EXAMPLES.items():
            try:
                sentence = modules[name].run(meter.get, **sizes)
                check = "ok"
            except Exception as error:
                traceback.print_exc()
                sentence = f"{type(error).__name__}: {error}".splitlines()[0]
                check = "FAILED"
                failed += 1
            seconds, reports = meter.take()
            print(
                ROW.format(
                    name,
                    check,
                    f"{seconds:.2f} s",
                    sum(report.executors for report in reports),
                    sum(report.invocations for report in reports),
                    f"{sum(report.round_trips for report in reports):,}",
                    f"{sum(report.bytes_read for report in reports) / 1e6:,.1f} MB",
                    f"{sum(report.bytes_written for report in reports) / 1e6:,.1f} MB",
                    sentence,
                ),
                flush=True,
            )
    passed = len(EXAMPLES) - failed
    print(f"\n{passed} of {len(EXAMPLES)} examples passed in {time.perf_counter() - begun:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
