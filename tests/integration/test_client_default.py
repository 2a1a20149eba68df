"""A client as Dask's default scheduler, inside its `with` block."""

from __future__ import annotations

import copy

import dask
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from wukong import Client, InvalidGraph, LocalCluster

SHUFFLE = "dataframe.shuffle.method"
FRAME = pd.DataFrame({"a": np.arange(500) % 11, "b": np.random.default_rng(5).random(500)})


def test_settings_end_with_the_block(cluster: LocalCluster) -> None:
    before = dask.config.get("scheduler", None), dask.config.get(SHUFFLE, None)
    with Client(cluster) as client:
        assert dask.config.get("scheduler") == client.get
        assert dask.config.get(SHUFFLE) == "tasks"
    assert (dask.config.get("scheduler", None), dask.config.get(SHUFFLE, None)) == before


def test_rows_change_partitions_as_with_dask(cluster: LocalCluster) -> None:
    frame = dd.from_pandas(FRAME, npartitions=6)
    bag = db.from_sequence(range(200), npartitions=5).groupby(lambda x: x % 9)
    expected = {key: sorted(found) for key, found in bag.compute(scheduler="sync")}
    with Client(cluster):
        bag = db.from_sequence(range(200), npartitions=5).groupby(lambda x: x % 9)
        assert {key: sorted(found) for key, found in bag.compute()} == expected
        assert frame.sort_values("b").compute().equals(FRAME.sort_values("b"))


def test_a_chosen_way_is_kept_and_a_directory_refused(cluster: LocalCluster) -> None:
    with dask.config.set({SHUFFLE: "disk"}), Client(cluster):
        assert dask.config.get(SHUFFLE) == "disk"
        with pytest.raises(InvalidGraph, match="directory"):
            dd.from_pandas(FRAME, npartitions=6).set_index("b").compute()


def test_settings_that_name_a_client_can_be_copied(cluster: LocalCluster) -> None:
    with Client(cluster) as client:
        settings = copy.deepcopy(dask.config.config)
        assert settings["scheduler"] == client.get
        with dask.config.set(settings):
            assert dask.delayed(sum)([1, 2]).compute() == 3
