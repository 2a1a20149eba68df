"""The flights that left New York City in 2013, replicated: a shuffle by aircraft, and a group-by after it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import pandas as pd

from benchmarks.arrays import asked
from benchmarks.workloads import Asked

#: Files with half of the year's flights each: about 31 MB in memory.
HALVES = 2


def by_aircraft(part: pd.DataFrame) -> pd.DataFrame:
    """What each aircraft of a partition flew."""
    what = {"arr_delay": ["mean", "max"], "distance": ["sum", "count"], "air_time": "sum"}
    return part.groupby("tailnum").agg(what)


def write(folder: Path, copies: int, rows: int | None) -> list[str]:
    """Write the flights to Parquet files, each copy a year of its own; files that are there stay.

    Dask's synchronous scheduler, in the project's environment, comes first: for the others the files are there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{rows or 'all'}-{number:03}.parquet" for number in range(HALVES * copies)]
    if not all(file.exists() for file in files):
        from examples.flights import data  # it imports Wukong, which the peers' environment does not have

        frame = pd.read_csv(data("flights.csv.zip"), nrows=rows)
        cut = len(frame) // HALVES
        for number, file in enumerate(files):
            half = frame.iloc[:cut] if number % HALVES == 0 else frame.iloc[cut:]
            whole = file.with_suffix(f".{os.getpid()}")  # another engine may write the same
            half.assign(year=half["year"] + number // HALVES).to_parquet(whole, index=False)
            whole.replace(file)
    return [str(file) for file in files]


def shuffle(folder: str, copies: int, rows: int | None = None) -> Asked:
    """Read all columns, bring each aircraft's flights together by a shuffle of tasks, and aggregate them."""
    files = write(Path(folder), copies, rows)
    with dask.config.set({"dataframe.shuffle.method": "tasks"}):
        frame: Any = dd.from_map(pd.read_parquet, files)
        return asked(frame.shuffle("tailnum").map_partitions(by_aircraft).optimize())
