"""The rank-k singular value decomposition of a square matrix (documentation, section 5.2.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import numpy as np

from wukong import Client, LocalCluster


def run(get: Callable[..., Any], size: int = 10_000, chunk: int = 2_000, k: int = 5) -> str:
    """Compute the k largest singular values and their vectors, and compare both with Dask's own."""
    # The published listing persists X: its 800 MB would stay in the key-value store. Executors make blocks of random
    # numbers faster than they read them from there, so they stay part of the graph.
    X = da.random.default_rng(2).random((size, size), chunks=(chunk, chunk))
    _, s, v = da.linalg.svd_compressed(X, k=k, seed=2)
    singular, right = dask.compute(s, v, scheduler=get)

    expected_singular, expected_right = dask.compute(s, v, scheduler="synchronous")
    np.testing.assert_allclose(singular, expected_singular, rtol=1e-9)
    np.testing.assert_allclose(right, expected_right, atol=1e-7)
    return f"s and V (k = {k}) of {size:,} × {size:,} equal Dask's"


if __name__ == "__main__":
    with LocalCluster() as cluster, Client(cluster) as client:
        print(run(client.get))
