"""`make bench-start`: how long things take to be there.

Imports are measured in fresh interpreters whose files are compiled and cached. An embedded cluster is started and ended
again and again; to the time until it says that it is ready comes the one until the first job on it is done, so that
nothing is gained by leaving work to that. An environment is measured from the request that the zygote fork to its first
request for an invocation.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import add

from benchmarks.environment_start import environment_starts
from benchmarks.outcome import Goal, publish, table
from wukong import Client, LocalCluster

SAMPLES = 11


@dataclass(frozen=True, slots=True)
class Start:
    """Something that is started.

    Attributes:
        name: What.
        most: Seconds that it may take in the median; None where there is no goal.
    """

    name: str
    most: float | None = None


IMPORT = Start("import wukong", 0.150)
IMPORT_USED = Start("from wukong import Client, LocalCluster")
READY = Start("LocalCluster()", 1.0)
CONNECTED = Start("Client(cluster)")
FIRST_JOB = Start("from LocalCluster() to its first job's value")
CLOSED = Start("LocalCluster.close()")
ENVIRONMENT = Start("environment, from the zygote's fork to its first request", 0.030)


def import_seconds(statement: str, samples: int) -> list[float]:
    """Seconds that a fresh interpreter takes for a statement, without its own start."""
    program = f"import time; began = time.perf_counter(); {statement}; print(time.perf_counter() - began)"

    def run() -> float:
        return float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)

    run()
    return [run() for _ in range(samples)]


def cluster_seconds(samples: int) -> dict[Start, list[float]]:
    """Seconds of the steps in the life of an embedded cluster."""
    taken: dict[Start, list[float]] = {READY: [], CONNECTED: [], FIRST_JOB: [], CLOSED: []}
    for _ in range(samples):
        began = time.perf_counter()
        cluster = LocalCluster()
        ready = time.perf_counter()
        with Client(cluster) as client:
            connected = time.perf_counter()
            value = client.get({"sum": (add, 1, 2)}, "sum")
            first = time.perf_counter()
        ending = time.perf_counter()
        cluster.close()
        ended = time.perf_counter()
        if value != 3:
            raise SystemExit("the first job's result is wrong")
        taken[READY].append(ready - began)
        taken[CONNECTED].append(connected - ready)
        taken[FIRST_JOB].append(first - began)
        taken[CLOSED].append(ended - ending)
    return taken


def goals(taken: Mapping[Start, Sequence[float]]) -> list[Goal]:
    """The medians that have a goal, in ms."""
    return [
        Goal(start.name, statistics.median(seconds) * 1e3, start.most * 1e3, "ms")
        for start, seconds in taken.items()
        if start.most is not None
    ]


def starts_table(taken: Mapping[Start, Sequence[float]]) -> str:
    """Medians and minima in Markdown."""
    show: Callable[[float], str] = lambda seconds: f"{seconds * 1e3:,.1f}"  # noqa: E731
    rows = [
        (start.name, show(statistics.median(seconds)), show(min(seconds)), str(len(seconds)))
        for start, seconds in taken.items()
    ]
    return table(("what", "median, ms", "least, ms", "samples"), rows)


def main() -> int:
    """Run everything; 1 if a goal is missed."""
    taken = {start: import_seconds(start.name, SAMPLES) for start in (IMPORT, IMPORT_USED)}
    # The first cluster warms the machine's caches.
    taken |= {start: seconds[1:] for start, seconds in cluster_seconds(SAMPLES + 1).items()}
    taken[ENVIRONMENT] = environment_starts(SAMPLES)
    data = {"seconds": {start.name: seconds for start, seconds in taken.items()}}
    return publish("start", [starts_table(taken)], goals(taken), data)


if __name__ == "__main__":
    sys.exit(main())
