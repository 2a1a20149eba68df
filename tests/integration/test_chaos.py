"""Random graphs while invocations are duplicated, delayed and throttled and environments are ended: what Dask's own
scheduler returns.

Dropped invocations are not among the faults here: nobody is told of them, so each would cost a lease.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import dask
import pytest

from wukong import Client, LocalCluster
from wukong.testing.graphs import random_graph, same_value

GRAPHS = 100
BATCH = 20
#: A record whose executors died three times ends its job, whichever tasks they ran. With this seed no three of any
#: twelve deliveries in a row end their environments, for the first 1,416 of them, which is more than there are here.
FAULTS = {"seed": 1179, "duplicate": 0.3, "delay": 0.3, "delay_seconds": 0.2, "throttle": 0.2, "kill": 0.06}


@pytest.fixture(scope="module")
def chaotic() -> Iterator[LocalCluster]:
    with LocalCluster(environments=2, lease_seconds=2, faults=FAULTS) as cluster:
        yield cluster


def slowly(value: Any) -> Any:
    """Slow enough that an executor with much to do gives some of it away, in more invocations."""
    time.sleep(0.005)
    return value


def list_of(nested: Any) -> Any:
    return [list_of(item) for item in nested] if isinstance(nested, tuple) else nested


@pytest.mark.parametrize("first", range(0, GRAPHS, BATCH))
def test_random_graphs_equal_dask_in_spite_of_chaos(chaotic: LocalCluster, first: int) -> None:
    with Client(chaotic) as client:
        for seed in range(first, first + BATCH):
            dsk, asked = random_graph(seed)
            # A leaf that is slow, in some graphs: not so many that the graph takes seconds.
            leaves = [key for key, task in dsk.items() if isinstance(task, int)][:40]
            slowed = {**dsk, **{key: (slowly, dsk[key]) for key in leaves}}
            assert same_value(list_of(client.get(slowed, asked)), list_of(dask.get(slowed, asked))), seed
            report = client.report()
            assert report.tasks_run >= report.tasks


def test_there_was_chaos(chaotic: LocalCluster) -> None:
    """Whatever order the tests come in: enough invocations that each fault must have happened."""
    with Client(chaotic) as client:
        for _ in range(30):
            assert client.get({"a": (slowly, 1)}, "a") == 1
    log = "".join(chaotic.logs().values())
    assert "once more" in log
    assert "chaos delays invocation" in log
    assert "chaos throttles request" in log
    assert "chaos ends environment" in log
