"""`make bench-fan-out`: giving many pieces away directly, through the invoker function, and through the KVS proxy.

Measured is what an executor does, with its own code, until Lambda has accepted the last invocation: the value that all
pieces share is stored, records are made, executors are invoked. The three ways take turns, in one run.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np

from benchmarks import machine
from benchmarks.fan_out_cluster import CREDENTIALS, Cluster, started
from wukong.engine.instructions import Offload, Piece
from wukong.invocation.spreading import Spreading
from wukong.mds.records import Record
from wukong.mds.store import JobSpec, Status
from wukong_executor.environment import Environment
from wukong_executor.lease import Lease
from wukong_executor.memory import Memory
from wukong_executor.offloading import Offloading

SAMPLES = 5
NEVER = 1_000_000
INVOKERS = 2
#: Seconds that a request to invoke takes on its way: none, and about what it is within an AWS region.
LATENCIES = {"bare": 0.0, "20 ms": 0.02}
SIZES = {"1 KB": 1024, "1 MB": 1024**2, "64 MB": 64 * 1024**2}
GRID = [(k, size) for k in (16, 64, 256) for size in SIZES] + [(1024, "1 MB")]
WAYS = ("direct", "invoker", "proxy")


class Giver:
    """An executor that holds one record and gives pieces away, one way or another."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._environment = Environment(cluster.environ)
        ring = self._environment.mds.newest_ring()
        assert ring is not None
        self._values = self._environment.values(ring)
        spec = JobSpec(1 << 20, 1, 1, [0], 1 << 30, ring, 3600)
        self._environment.mds.submit("bench", spec, [b"page"], [Record("0", [0])], 3600)
        self._begun = self._environment.mds.begin("bench", "0", "holder", 3600)
        self._sequence = 0

    def give(self, way: str, count: int, nbytes: int) -> float:
        """Give `count` pieces away that share a value of `nbytes`; returns the seconds."""
        environment = self._environment
        environment.max_task_fanout = 0 if way == "proxy" else NEVER
        threshold = 0 if way == "invoker" else NEVER
        environment.spreading = dataclasses.replace(Spreading.read(self._cluster.environ), threshold=threshold)
        environment.spreading = dataclasses.replace(environment.spreading, invokers=INVOKERS)
        memory = Memory(self._values, "bench", "holder", 600, 0)
        memory.by_task[0] = np.ones(nbytes, dtype=np.uint8)
        lease = Lease(environment.mds, "bench", "0", "holder", self._begun.generation, environment.lease_seconds)
        offloading = Offloading(environment, memory, lease, self._begun, 600)
        pieces = [Piece([1 + number], [(0, None)]) for number in range(count)]
        self._sequence += 1
        self._cluster.expect(count)
        began = time.perf_counter()
        given = offloading.give(Offload(self._sequence, pieces))
        assert (given.status, len(given.records)) == (Status.OK, count)
        self._cluster.wait()
        return time.perf_counter() - began


def measure(latency: str) -> Iterator[str]:
    """Rows of the table."""
    with started(LATENCIES[latency], INVOKERS) as cluster:
        giver = Giver(cluster)
        for way in WAYS:
            giver.give(way, 16, 1024)
        for count, size in GRID:
            samples: dict[str, list[float]] = {way: [] for way in WAYS}
            for turn in range(SAMPLES):
                for way in WAYS[turn % 3 :] + WAYS[: turn % 3]:
                    samples[way].append(giver.give(way, count, SIZES[size]) * 1000)
            medians = {way: statistics.median(times) for way, times in samples.items()}
            cells = [f"{medians[way]:.0f} ({min(samples[way]):.0f})" for way in WAYS]
            best = min(medians, key=lambda way: medians[way])
            yield f"| {latency} | {count:,} | {size} | {' | '.join(cells)} | {best} |"


def first_use(statement: str) -> float:
    """Milliseconds that a fresh interpreter takes for it."""
    program = f"import time; began = time.perf_counter(); {statement}; print(time.perf_counter() - began)"
    environ = {**os.environ, **CREDENTIALS}
    runs = [
        subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
        for _ in range(SAMPLES)
    ]
    return statistics.median(float(run.stdout) for run in runs) * 1000


def main() -> None:
    """Measure everything; the table is Markdown."""
    os.environ.update(CREDENTIALS)
    began = time.perf_counter()
    print(f"{machine.line()}; medians of {SAMPLES} in ms, minima in brackets")
    print("| invocation takes | pieces | shared value | direct | invoker | proxy | fastest |")
    print("|---|---|---|---|---|---|---|")
    for latency in LATENCIES:
        for row in measure(latency):
            print(row, flush=True)
    api = first_use("from wukong.invocation.requests import InvokeApi; InvokeApi('http://127.0.0.1:1', 'f')")
    grpc = first_use("import wukong_executor.fan_out")
    print(f"first use in an environment: signed requests {api:.0f} ms, gRPC {grpc:.0f} ms")
    print(f"took {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
