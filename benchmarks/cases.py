"""What `make bench` measures: workloads, who takes part in each how often, and the goals.

A goal is the largest accepted ratio of Wukong's median to a peer's, on two cores, within one run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.engine import ROOT

#: Written when a workload asks for it first; stays for later runs.
FLIGHTS = ROOT / "build/bench/flights"

SYNCHRONOUS = "Dask synchronous"
#: Five samples where a goal hangs on them, three elsewhere.
ALL = {
    "Wukong": 5,
    "distributed": 5,
    "Ray": 5,
    SYNCHRONOUS: 5,
    "Dask threaded": 3,
    "Dask multiprocessing": 3,
}
#: One of distributed, which takes most of the time and varies least.
QUICK = {"Wukong": 3, "distributed": 1, SYNCHRONOUS: 3}


@dataclass(frozen=True)
class Case:
    """One workload.

    Attributes:
        name: The short one.
        title: What it is; stands behind the name in tables.
        builder: "module:function" that makes the graph and the keys, in each engine's process.
        arguments: The function's.
        goals: By peer.
        samples: By engine; who is not named takes no part.
        options: How an engine is started for this workload, where not as usual. Of several ways it is the one in which
            the engine is fastest: each is tried in the same run.
        note: What a reader of the table needs to know.
    """

    name: str
    title: str
    builder: str
    arguments: Mapping[str, Any]
    goals: Mapping[str, float]
    samples: Mapping[str, int] = field(default_factory=lambda: ALL)
    options: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    note: str = ""


def hurried(case: Case) -> Case:
    """The same workload with only those engines that a goal hangs on."""
    samples = {name: count for name, count in case.samples.items() if name == "Wukong" or name in case.goals}
    if samples == case.samples:
        return case
    note = "the run was late, engines without a goal were left out"
    return replace(case, samples=samples, note=f"{case.note}; {note}" if case.note else note)


def goals(clusters: float, synchronous: float | None = None) -> dict[str, float]:
    """The goals beside distributed and Ray, and beside Dask's synchronous scheduler."""
    return {"distributed": clusters, "Ray": clusters} | ({SYNCHRONOUS: synchronous} if synchronous else {})


CHAIN = Case(
    "W1",
    "chain of 1,000",
    "benchmarks.workloads:chain",
    {"length": 1000},
    goals(0.02, 1.0),
    samples={name: count for name, count in ALL.items() if name != "Dask multiprocessing"},
    note="Dask multiprocessing takes no part: it fuses the chain into calls 1,000 deep, and ends in RecursionError",
)
FAN = Case("W2", "fan-out of 2,000, one fan-in", "benchmarks.workloads:fan_out", {"width": 2000}, goals(0.025, 1.0))
TREE = Case("W3", "tree of 1,024", "benchmarks.workloads:tree", {"leaves": 1024}, goals(0.04, 1.0))
SLEEPING = Case(
    "W3s",
    "tree of 1,024, leaves sleep 10 ms",
    "benchmarks.workloads:tree",
    {"leaves": 1024, "seconds": 0.01},
    goals(0.15),
    samples={"Wukong": 5, "distributed": 5, "Ray": 5, "Dask threaded": 3, "Dask multiprocessing": 3},
    options={
        "Wukong": [{"environments": 16}],
        "distributed": [
            {"processes": 2, "threads": 16},
            {"processes": 1, "threads": 32},
            {"processes": 2, "threads": 4},
            {"processes": 8, "threads": 1},
        ],
        "Ray": [{"cpus": 16}, {"cpus": 8}, {"cpus": 4}],
        "Dask threaded": [{"threads": 64}],
        "Dask multiprocessing": [{"processes": 16}],
    },
    note="Dask synchronous sleeps for 10 s, and is not measured; 16 environments sleep for 0.64 s",
)
TSQR = Case(
    "W4",
    "TSQR 262,144 × 128",
    "benchmarks.arrays:tsqr",
    {"rows": 262_144, "columns": 128, "chunk": 8192},
    goals(0.80),
)
SVD_TALL = Case(
    "W5 tall",
    "SVD 200,000 × 100",
    "benchmarks.arrays:svd_tall",
    {"rows": 200_000, "columns": 100, "chunk": 10_000},
    goals(0.75),
)
SVD_SQUARE = Case(
    "W5 square",
    "SVD 4,000 × 4,000, k = 5",
    "benchmarks.arrays:svd_square",
    {"size": 4000, "chunk": 800, "k": 5},
    goals(0.50),
)
GEMM = Case("W6", "GEMM 4,000", "benchmarks.arrays:gemm", {"size": 4000, "chunk": 800}, goals(0.80))
QR = Case("W7 QR", "QR 128 and 128 × 512", "benchmarks.arrays:qr", {"size": 128, "chunk": 16}, goals(0.25))
CHOLESKY = Case(
    "W7 Cholesky", "Cholesky 100, both factors", "benchmarks.arrays:cholesky", {"size": 100, "chunk": 25}, goals(0.25)
)
INDEPENDENT = Case(
    "W8",
    "10,000 independent tasks",
    "benchmarks.workloads:independent",
    {"count": 10_000},
    goals(0.02, 1.0),
)
FEW = Case(
    "W8 few",
    "100 independent tasks",
    "benchmarks.workloads:independent",
    {"count": 100},
    {},
    samples={"Wukong": 5, SYNCHRONOUS: 5, "Lithops": 2},
    note="for Lithops, which runs maps only, and would take many minutes for 10,000 calls",
)
SHUFFLE = Case(
    "W9",
    "all-to-all 100 × 100, 10 KB each",
    "benchmarks.workloads:all_to_all",
    {"width": 100, "nbytes": 10_240},
    goals(0.08, 1.0),
)
FRAME = Case(
    "W10",
    "shuffle and group-by, 1 GB of flights",
    "benchmarks.flights:shuffle",
    {"folder": str(FLIGHTS), "copies": 16},
    goals(0.80),
)
PREDICTION = Case(
    "W11",
    "SVC prediction, 100,000 rows",
    "benchmarks.prediction:svc",
    {"rows": 100_000, "blocks": 20},
    goals(0.80),
)

CASES = (
    CHAIN,
    FAN,
    TREE,
    SLEEPING,
    TSQR,
    SVD_TALL,
    SVD_SQUARE,
    GEMM,
    QR,
    CHOLESKY,
    INDEPENDENT,
    FEW,
    SHUFFLE,
    FRAME,
    PREDICTION,
)
#: For daily use: what shows most of Wukong's own work, and one of each kind of data.
QUICK_CASES = (CHAIN, FAN, TREE, GEMM, CHOLESKY, SHUFFLE)
