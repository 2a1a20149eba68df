"""What `make bench-policies` runs: workloads, the clusters that they run on, and how often under which policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.arrays import gemm, svd_square, svd_tall, tsqr
from benchmarks.workloads import Asked, tree
from wukong.engine.policy.named import ABLATIONS

#: The policies whose times are held against each other.
HEARTBEAT, PUBLISHED, STATELESS = "heartbeat", "wukong2020", "stateless"

#: Bytes from which an output is large, so that blocks are: then the published policy clusters, and delays its writes.
LARGE_BYTES = 1_000_000


@dataclass(frozen=True)
class Place:
    """What a cluster is told to feel like.

    Attributes:
        name: In tables.
        latency: `LocalCluster`'s.
    """

    name: str
    latency: str | None


PLACES = (Place("bare", None), Place("AWS", "aws"))


@dataclass(frozen=True)
class Case:
    """One workload.

    Attributes:
        name: In tables.
        build: Makes the graph, and the keys that are asked for.
        environments: Of its cluster, by the name of the place.
        samples: Of each policy that runs it.
    """

    name: str
    build: Callable[[], Asked]
    environments: Mapping[str, int]
    samples: Mapping[str, int]


def samples(timed: int, others: int, ablations: int) -> dict[str, int]:
    """How many samples each policy gets: those whose times have a goal, `stateless`, and those without a mechanism."""
    counts = {HEARTBEAT: timed, PUBLISHED: timed, STATELESS: others, **dict.fromkeys(ABLATIONS, ablations)}
    return {name: count for name, count in counts.items() if count}


#: Leaves that sleep leave the processors to others, so there are many environments. Blocks of arrays keep them busy:
#: bare there is one environment for each of two cores, and on AWS enough that transfers overlap.
SLEEPING = {"bare": 64, "AWS": 64}
COMPUTING = {"bare": 2, "AWS": 16}

LEAVES = 1024
ZERO_WORK = "TR, leaves of 0 ms"
TSQR = "TSQR 262,144 × 128"
GEMM = "GEMM 2,000"


def cases(timed: int, others: int, ablations: int) -> Sequence[Case]:
    """All of them, with so many samples."""
    computing: Mapping[str, Any] = {"environments": COMPUTING, "samples": samples(timed, others, ablations)}
    like_another: Mapping[str, Any] = {"environments": COMPUTING, "samples": samples(timed, others, 0)}
    # What has no goal for its time takes long where each task is an invocation, and counts the same each time.
    sleeping: Mapping[str, Any] = {"environments": SLEEPING, "samples": samples(timed, min(1, others), 0)}
    none: Mapping[str, Any] = {"environments": SLEEPING, "samples": samples(timed, min(1, others), min(1, ablations))}
    return (
        Case(ZERO_WORK, partial(tree, LEAVES), **none),
        *(
            Case(f"TR, leaves of {milliseconds} ms", partial(tree, LEAVES, milliseconds / 1000), **sleeping)
            for milliseconds in (100, 250, 500)
        ),
        Case(TSQR, partial(tsqr, 262_144, 128, 8_192), **computing),
        Case("SVD tall 100,000 × 100", partial(svd_tall, 100_000, 100, 5_000), **like_another),
        Case("SVD square 4,000, k=5", partial(svd_square, 4_000, 800, 5), **computing),
        Case(GEMM, partial(gemm, 2_000, 400), **computing),
    )
