"""Takes the samples of `make bench-policies`: policies in turns on one warm cluster, each result compared."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import dask

from benchmarks import load
from benchmarks.agreement import difference
from benchmarks.policy_cases import HEARTBEAT, LARGE_BYTES, PUBLISHED, Case, Place
from benchmarks.policy_goals import Finding, PolicySample, counts
from benchmarks.sampling import LIMIT, SAMPLE_SECONDS, Rounds
from wukong import Client, LocalCluster
from wukong.client.report import Report

#: Loaded samples of a policy that are taken again, at most.
REPEATS = 2

#: Runs in a sample, at most.
SAMPLE_RUNS = 20


def measure(cases: Sequence[tuple[Case, Any]], place: Place, environments: int) -> list[Finding]:
    """Cases on one cluster.

    Args:
        cases: Each with the value that is expected of its keys.
        place: What the cluster feels like.
        environments: Of the cluster.

    Raises:
        SystemExit: A policy computed something else.
    """
    with (
        LocalCluster(environments=environments, latency=place.latency, big_task_threshold=LARGE_BYTES) as cluster,
        Client(cluster, progress=False) as client,
    ):
        case, expected = cases[0]
        for policy in (HEARTBEAT, PUBLISHED, HEARTBEAT):  # unmeasured: starts environments, opens connections, imports
            _Sampler(client, case, expected).run(policy)
        return [_measured(client, case, expected, place.name, environments) for case, expected in cases]


def expected(case: Case) -> Any:
    """What Dask's own scheduler computes."""
    graph, keys = case.build()
    return dask.get(graph, keys)


def _measured(client: Client, case: Case, expected: Any, place: str, environments: int) -> Finding:
    sampler = _Sampler(client, case, expected)
    rounds = Rounds(case.samples, LIMIT, REPEATS)
    while policies := rounds.next_round():
        for policy in policies:
            rounds.add(policy, sampler.sample(policy))
    measured = rounds.measured()
    counted = {policy: counts(found) for policy, found in measured.items()}
    return Finding(case.name, place, environments, client.report().tasks, measured, counted)


class _Sampler:
    """Runs one graph under any policy."""

    def __init__(self, client: Client, case: Case, expected: Any) -> None:
        self._client = client
        self._name = case.name
        self._graph, self._keys = case.build()
        self._expected = expected

    def run(self, policy: str) -> float:
        """Seconds that it took; the result has been compared."""
        began = time.perf_counter()
        found = self._client.get(self._graph, self._keys, policy=policy)
        seconds = time.perf_counter() - began
        if (differs := difference(self._expected, found)) is not None:
            raise SystemExit(f"{self._name} under the policy {policy!r} is not what Dask computes: {differs}")
        return seconds

    def sample(self, policy: str) -> PolicySample:
        """One turn: a run, or several that are short."""
        runs: list[float] = []
        reports: list[Report] = []
        foreign = elapsed = 0.0
        while not runs or (sum(runs) < SAMPLE_SECONDS and len(runs) < SAMPLE_RUNS):
            busy, own, began = load.busy(), load.used_by(load.processes(), os.getpid()), time.monotonic()
            runs.append(self.run(policy))
            took = time.monotonic() - began
            own = load.used_by(load.processes(), os.getpid()) - own
            foreign += max(0.0, load.busy() - busy - own)
            elapsed += took
            reports.append(self._client.report())
        return PolicySample(runs, foreign / elapsed, reports)
