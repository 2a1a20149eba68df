"""The tall-and-skinny QR reduction, TSQR (documentation, section 5.2.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np

from wukong import Client, LocalCluster


def run(get: Callable[..., Any], rows: int = 262_144, columns: int = 128, chunk: int = 8_192) -> str:
    """Compute R of a random matrix cut into blocks of rows, compare it with Dask's and with Rᵀ R = Xᵀ X."""
    x = da.random.default_rng(4).random((rows, columns), chunks=(chunk, columns))
    _, r = da.linalg.tsqr(x)
    R = r.compute(scheduler=get)

    np.testing.assert_allclose(R, r.compute(scheduler="synchronous"), atol=1e-7)
    np.testing.assert_allclose(R.T @ R, (x.T @ x).compute(scheduler="synchronous"), rtol=1e-9)
    return f"R of {rows:,} × {columns:,} equals Dask's; Rᵀ R = Xᵀ X"


if __name__ == "__main__":
    with LocalCluster() as cluster, Client(cluster) as client:
        print(run(client.get))
