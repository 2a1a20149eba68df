"""The singular value decomposition of a tall-and-skinny matrix (documentation, section 5.2.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import numpy as np

from wukong import Client, LocalCluster


def run(get: Callable[..., Any], rows: int = 200_000, columns: int = 100, chunk: int = 10_000) -> str:
    """Compute s and V of a random matrix cut into blocks of rows, and compare both with Dask's own."""
    # As published, the matrix is persisted first: its blocks stay in the cluster, where the second computation finds
    # them. Without persist() the executors would make the blocks where they use them.
    X = da.random.default_rng(1).random((rows, columns), chunks=(chunk, columns)).persist(scheduler=get)
    _, s, v = da.linalg.svd(X)
    singular, right = dask.compute(s, v, scheduler=get)

    expected_singular, expected_right = dask.compute(s, v, scheduler="synchronous")
    np.testing.assert_allclose(singular, expected_singular, rtol=1e-9)
    np.testing.assert_allclose(right, expected_right, atol=1e-7)
    np.testing.assert_allclose(right @ right.T, np.eye(columns), atol=1e-9)
    return f"s and V of {rows:,} × {columns:,} equal Dask's; V Vᵀ = 1"


if __name__ == "__main__":
    with LocalCluster() as cluster, Client(cluster) as client:
        print(run(client.get))
