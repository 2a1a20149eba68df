"""KVS nodes come and go between jobs; an emulator takes the place of another."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from tests.e2e.cluster import Cluster
from tests.waiting import until

from wukong import Client
from wukong.errors import InputLost

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def scale(cluster: Cluster, client: Client, nodes: int) -> None:
    """Have so many nodes, and wait until the cluster knows."""
    cluster.up("--scale", f"kvs-node={nodes}")
    until(lambda: client.info()["kvs_nodes"] == nodes)


def check(client: Client) -> None:
    """A job whose input and result are large."""
    values = np.arange(2_000_000.0)
    doubled = (da.from_array(values, chunks=500_000) * 2).compute(scheduler=client.get)
    np.testing.assert_array_equal(doubled, values * 2)


def test_nodes_come_and_go_between_jobs(cluster: Cluster, client: Client) -> None:
    check(client)
    expected = np.arange(400_000) + 1
    kept = client.persist(da.arange(400_000, chunks=25_000) + 1)
    for nodes in (4, 1, 2):
        scale(cluster, client, nodes)
        check(client)
        if nodes == 1:
            # Some of it was on the node that is gone: docs/failure-model.md says what the user does.
            with pytest.raises(InputLost):
                client.compute(kept.sum())
            np.testing.assert_array_equal(kept.compute(scheduler="threads"), expected)
        assert int(client.compute(kept.sum())) == expected.sum()


def test_what_a_killed_emulator_left_is_removed_by_the_next_one(cluster: Cluster, client: Client) -> None:
    check(client)
    (emulator,) = cluster.containers("lambda-emulator")
    left = {environment.id for environment in cluster.environments()}
    assert left
    emulator.kill()
    cluster.up()
    until(lambda: not left & {environment.id for environment in cluster.environments()})
    check(client)
