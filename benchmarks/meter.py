"""Measures what jobs cost each group of a cluster's processes.

Processor time is the difference of what the kernel has counted for each process, in steps of 10 ms: a sample should
take many of them. Memory is the most that a process had while the sample ran, less what it had when the cluster was
fresh; for the client less what it had when the sample began, since the graph is its user's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks import processes
from wukong import LocalCluster


@dataclass(slots=True)
class Sample:
    """What was used while a block ran.

    Attributes:
        wall: Seconds.
        seconds: Processor time, by group.
        nbytes: Memory, by group.
        peak: Bytes of memory that all processes had together at most, the graph and what is loaded included.
    """

    wall: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    nbytes: dict[str, int] = field(default_factory=dict)
    peak: int = 0


class Meter:
    """Measures one cluster, which has just run its first jobs."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        self._fresh = {pid: processes.resident(pid) for pid in processes.groups(cluster)}

    @contextmanager
    def measured(self) -> Iterator[Sample]:
        """Measure a block; the sample is filled when it ends."""
        sample = Sample()
        before = {pid: processes.seconds(pid) for pid in processes.groups(self._cluster)}
        for pid in before:
            processes.forget_peak(pid)
        base = {**self._fresh, os.getpid(): processes.resident(os.getpid())}
        watcher = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.memory_peak", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert watcher.stdout is not None
        watcher.stdout.readline()
        began = time.perf_counter()
        try:
            yield sample
        finally:
            sample.wall = time.perf_counter() - began
            told, _ = watcher.communicate()
            sample.peak = int(told)
            sample.seconds = dict.fromkeys(processes.GROUPS, 0.0)
            sample.nbytes = dict.fromkeys(processes.GROUPS, 0)
            for pid, group in processes.groups(self._cluster).items():
                sample.seconds[group] += max(0.0, processes.seconds(pid) - before.get(pid, 0.0))
                sample.nbytes[group] += max(0, processes.peak(pid) - base.get(pid, 0))
