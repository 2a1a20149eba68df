"""Run every example on one embedded cluster and print what each one cost; exits 1 when a check fails."""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from typing import Any

from wukong import Client, LocalCluster

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


class Meter:
    """A Dask scheduler that runs on Wukong and adds up what the jobs cost."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.seconds = 0.0
        self.executors = self.invocations = self.round_trips = self.bytes_read = self.bytes_written = 0

    def get(self, dsk: Any, keys: Any, **options: Any) -> Any:
        """Compute and count."""
        begun = time.perf_counter()
        values = self.client.get(dsk, keys, **options)
        self.seconds += time.perf_counter() - begun
        report = self.client.report()
        self.executors += report.executors
        self.invocations += report.invocations
        self.round_trips += report.round_trips
        self.bytes_read += report.bytes_read
        self.bytes_written += report.bytes_written
        return values


def main() -> int:
    """Run them all; the number of examples whose check failed decides the exit status."""
    failed = 0
    # Before the cluster starts: it prepares its environments with what this program has imported by then.
    modules = {name: importlib.import_module(f"examples.{name}") for name in EXAMPLES}
    begun = time.perf_counter()
    with LocalCluster() as cluster, Client(cluster) as client:
        print(f"cluster ready in {time.perf_counter() - begun:.2f} s at {cluster.address}\n")
        print(ROW.format(*HEAD))
        for name, sizes in EXAMPLES.items():
            meter = Meter(client)
            try:
                sentence = modules[name].run(meter.get, **sizes)
                check = "ok"
            except Exception as error:
                traceback.print_exc()
                sentence = f"{type(error).__name__}: {error}".splitlines()[0]
                check = "FAILED"
                failed += 1
            print(
                ROW.format(
                    name,
                    check,
                    f"{meter.seconds:.2f} s",
                    meter.executors,
                    meter.invocations,
                    f"{meter.round_trips:,}",
                    f"{meter.bytes_read / 1e6:,.1f} MB",
                    f"{meter.bytes_written / 1e6:,.1f} MB",
                    sentence,
                ),
                flush=True,
            )
    passed = len(EXAMPLES) - failed
    print(f"\n{passed} of {len(EXAMPLES)} examples passed in {time.perf_counter() - begun:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
