"""Cholesky decompositions, upper and lower (documentation, section 5.2.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np

from wukong import Client, LocalCluster


def symmetric(size: int, chunk: int) -> da.Array:
    """A symmetric positive-definite matrix: the lower triangle of ones times its transpose."""
    A = da.ones((size, size), chunks=(chunk, chunk))
    lA = da.tril(A)
    return lA.dot(lA.T)


def run(get: Callable[..., Any], size: int = 100, chunk: int = 25) -> str:
    """Decompose a symmetric matrix both ways; compare with Dask's own and with the product of the factors."""
    # The published listing passes chunks to da.asarray, which ignores them when it is given a Dask array.
    X = symmetric(size, size).rechunk((chunk, chunk))
    expected = X.compute(scheduler="synchronous")
    for lower in (False, True):
        chol = da.linalg.cholesky(X, lower=lower)
        factor = chol.compute(scheduler=get)

        np.testing.assert_allclose(factor, chol.compute(scheduler="synchronous"), atol=1e-9)
        L = factor if lower else factor.T
        np.testing.assert_allclose(L, np.tril(L))
        np.testing.assert_allclose(L @ L.T, expected, rtol=1e-9)
    return f"upper and lower factors of {size} × {size} equal Dask's; L Lᵀ = X"


if __name__ == "__main__":
    with LocalCluster() as cluster, Client(cluster) as client:
        print(run(client.get))
