"""A record whose values do not fit into memory together, each of them does: the third holder finishes it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from wukong import Client, LocalCluster

#: Bytes of one value, and how many there are. An environment has 300 MiB, and needs some 100 for itself.
NBYTES = 40 * 2**20
COUNT = 10


@pytest.fixture(scope="module")
def frail() -> Iterator[LocalCluster]:
    # One environment: nothing can be given away. Nobody waits for the lease, since the platform tells of deaths.
    with LocalCluster(environments=1, memory_mb=300, lease_seconds=60) as cluster:
        yield cluster


def first() -> np.ndarray:
    return np.zeros(NBYTES, np.uint8)


def after(value: np.ndarray) -> np.ndarray:
    return value + np.uint8(1)


def most(value: np.ndarray) -> int:
    return int(value.max())


def test_what_memory_cannot_hold_together_is_finished_by_the_third_holder(frail: LocalCluster) -> None:
    # Each x is needed for the next one, and by a task that comes after the whole chain in depth-first order.
    dsk: dict[object, object] = {("x", 0): (first,)}
    dsk |= {("x", i): (after, ("x", i - 1)) for i in range(1, COUNT)}
    dsk |= {("m", i): (most, ("x", i)) for i in range(COUNT)}
    numbers = [*reversed(range(COUNT))]
    with Client(frail) as client:
        job = client.submit_graph(dsk, [("m", i) for i in numbers])
        assert list(job.result(120)) == numbers
        assert job.report().executors == 3
