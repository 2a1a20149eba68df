"""`make bench-growth`: what tasks and jobs cost as there are more of them.

Chains, trees and maps of 1,000 to 1,000,000 trivial tasks, a fan-in of 100,000, 1,000 jobs of one task, and 64 jobs at
once from 8 clients. Each group of processes (client, scheduler, executors, stores) is measured for itself: processor
time and memory for each task. Flat means that at the largest size a task costs at most twice what it costs at the size
where it is cheapest: what a job costs that has next to no tasks is no growth, so larger ones may well be cheaper.

Every result is compared with its known value. `--largest` leaves larger sizes out, for machines with little memory.
"""

from __future__ import annotations

import argparse
import gc
import math
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.crowd import crowd
from benchmarks.meter import Meter, Sample
from benchmarks.outcome import Goal, publish, table
from benchmarks.processes import GROUPS
from benchmarks.shape import CHAIN, FAN_IN, GROWING, MAP, Shape
from wukong import Client, LocalCluster

SIZES = (1_000, 10_000, 100_000, 1_000_000)
#: Tasks that a sample consists of at least: small jobs are repeated, since the kernel counts in steps of 10 ms.
SAMPLE = 50_000
#: From so many tasks on memory is told: smaller jobs live in the megabytes that a fresh process has to spare.
MEMORY_FROM = 100_000
#: Differences below these are the clock's and the allocator's.
FLOOR_US, FLOOR_BYTES = 1.0, 100.0
FAN_IN_WIDTH = 100_000
JOBS = 1_000
CLIENTS, JOBS_EACH = 8, 8
GB = 1e9


@dataclass(frozen=True, slots=True)
class Row:
    """One shape at one size.

    Attributes:
        shape: Its name.
        tasks: How many tasks a job had.
        wall: Seconds from `get` to its value.
        us: Microseconds of processor time for each task, by group of processes.
        nbytes: Bytes of memory for each task, by group.
        peak: Bytes that all processes had together at most.
    """

    shape: str
    tasks: int
    wall: float
    us: dict[str, float]
    nbytes: dict[str, float]
    peak: int


def row(shape: str, tasks: int, jobs: int, sample: Sample) -> Row:
    """What a sample of some equal jobs says of each task."""
    return Row(
        shape,
        tasks,
        sample.wall / jobs,
        {group: seconds * 1e6 / (tasks * jobs) for group, seconds in sample.seconds.items()},
        {group: nbytes / tasks for group, nbytes in sample.nbytes.items()},
        sample.peak,
    )


def grow(shape: Shape, sizes: Sequence[int], sample: int = SAMPLE) -> Iterator[Row]:
    """A shape at each size, the smallest first, on one fresh cluster."""
    with LocalCluster() as cluster, Client(cluster) as client:
        _warm(client)
        meter = Meter(cluster)
        for size in sizes:
            graph, keys = shape.build(size)
            jobs = max(1, sample // size)
            gc.collect()
            with meter.measured() as measured:
                for _ in range(jobs):
                    value = client.get(graph, keys)
            check_value(f"{shape.name} of {size:,}", value, shape.value(size))
            yield row(shape.name, len(graph), jobs, measured)
            del graph, keys, value


def growth(rows: Sequence[Row]) -> list[Goal]:
    """How much more a task costs at the largest size than at the smaller one where it costs least, by group."""
    goals = []
    *smaller, largest = rows
    for group in GROUPS:
        least = min(max(FLOOR_US, row.us[group]) for row in smaller)
        name = f"{largest.shape}: time per task, {group}"
        goals.append(Goal(name, max(FLOOR_US, largest.us[group]) / least, 2.0, "×"))
        fitting = [max(FLOOR_BYTES, row.nbytes[group]) for row in smaller if row.tasks >= MEMORY_FROM]
        if fitting:
            name = f"{largest.shape}: memory per task, {group}"
            goals.append(Goal(name, max(FLOOR_BYTES, largest.nbytes[group]) / min(fitting), 2.0, "×"))
    return goals


def latencies(client: Client, jobs: int) -> list[float]:
    """Seconds that each of some jobs of one task takes, one after the other."""
    taken = []
    for number in range(1, jobs + 1):
        graph, key = CHAIN.build(1)
        began = time.perf_counter()
        value = client.get(graph, key)
        taken.append(time.perf_counter() - began)
        check_value(f"job {number} of one task", value, 1)
    return taken


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that at least so many percent of all samples do not exceed."""
    return sorted(samples)[max(0, math.ceil(len(samples) * percent / 100) - 1)]


def _warm(client: Client) -> None:
    """Have every environment started, and everything used once."""
    for _ in range(2):
        client.get({("nap", i): (time.sleep, 0.2) for i in range(4)}, [("nap", i) for i in range(4)])
    client.get(*MAP.build(100))


def check_value(what: str, found: Any, known: Any) -> None:
    """End the benchmark if a value is not the one that is known."""
    if found != known:
        raise SystemExit(f"{what}: the result is wrong")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.growth", description="what tasks cost as there are more of them")
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="leave out sizes above this one")
    largest = parser.parse_args(arguments).largest
    sizes = [size for size in SIZES if size <= largest]
    rows: list[Row] = []
    goals: list[Goal] = []
    for shape in GROWING:
        rows += (of_shape := list(grow(shape, sizes)))
        goals += growth(of_shape)
    if largest == SIZES[-1]:
        goals += [
            Goal(f"{rows[-1].tasks:,} trivial tasks, end to end", rows[-1].wall, 60.0, "s"),
            Goal(f"{rows[-1].tasks:,} trivial tasks, memory of all processes", rows[-1].peak / GB, 4.0, "GB"),
        ]
    fan_in = next(grow(FAN_IN, [FAN_IN_WIDTH]))
    with LocalCluster() as cluster, Client(cluster) as client:
        _warm(client)
        latencies(client, 20)
        taken = latencies(client, JOBS)
        at_once = crowd(cluster, CLIENTS, JOBS_EACH)
    p50, p99 = percentile(taken, 50) * 1e3, percentile(taken, 99) * 1e3
    goals.append(Goal("job of one task, p50", p50, 15.0, "ms"))
    sentences = [
        f"{JOBS:,} jobs of one task, one after the other: p50 {p50:.1f} ms, p99 {p99:.1f} ms, "
        f"least {min(taken) * 1e3:.1f} ms.",
        f"{CLIENTS * JOBS_EACH} jobs at once, {at_once.tasks:,} tasks each, from {CLIENTS} clients: all of them in "
        f"{at_once.wall:.2f} s, the median after {statistics.median(at_once.taken):.2f} s.",
    ]
    data = {
        "rows": [asdict(one) for one in (*rows, fan_in)],
        "one_task_seconds": taken,
        "at_once": asdict(at_once),
    }
    return publish("growth", [growth_table([*rows, fan_in]), "\n".join(sentences)], goals, data)


def growth_table(rows: Sequence[Row]) -> str:
    """The rows in Markdown: microseconds of processor time, and bytes where they are more than noise, per task."""
    head = ["shape", "tasks", "s", *(f"{group}, µs" for group in GROUPS), *(f"{group}, B" for group in GROUPS)]
    lines = []
    for one in rows:
        times = [f"{one.us[group]:.1f}" for group in GROUPS]
        sizes = [f"{one.nbytes[group]:,.0f}" if one.tasks >= MEMORY_FROM else "" for group in GROUPS]
        lines.append([one.shape, f"{one.tasks:,}", f"{one.wall:.2f}", *times, *sizes, f"{one.peak / GB:.2f}"])
    return table([*head, "all, GB"], lines)


if __name__ == "__main__":
    sys.exit(main())
