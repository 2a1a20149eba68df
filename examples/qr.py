"""QR decompositions of matrices that are cut in one direction (documentation, section 5.2.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import numpy as np

from wukong import Client, LocalCluster


def run(get: Callable[..., Any], size: int = 128, chunk: int = 16) -> str:
    """Decompose a column of blocks and a row of blocks; compare with Dask's own and with Q R = X."""
    random = da.random.default_rng(3)
    # The published listing cuts a 128 × 128 matrix into blocks of 16 × 16. da.linalg.qr refuses a matrix that
    # is cut both ways (NotImplementedError): it takes one column of blocks, or one row of blocks that are no
    # wider than they are high.
    tall = random.random((size, size), chunks=(chunk, size))
    wide = random.random((size, 4 * size), chunks=(size, size))
    for X in (tall, wide):
        q, r = da.linalg.qr(X)
        Q, R = dask.compute(q, r, scheduler=get)

        expected_q, expected_r = dask.compute(q, r, scheduler="synchronous")
        np.testing.assert_allclose(Q, expected_q, atol=1e-9)
        np.testing.assert_allclose(R, expected_r, atol=1e-9)
        np.testing.assert_allclose(Q @ R, X.compute(scheduler="synchronous"), atol=1e-9)
    return f"Q and R of {size} × {size} and {size} × {4 * size} equal Dask's; Q R = X"


if __name__ == "__main__":
    with LocalCluster() as cluster, Client(cluster) as client:
        print(run(client.get))
