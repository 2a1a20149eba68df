"""The product of two general matrices, GEMM (documentation, section 5.2.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np

from wukong import Client, LocalCluster


def run(get: Callable[..., Any], size: int = 10_000, chunk: int = 2_000) -> str:
    """Multiply two random matrices and compare the product with Dask's own."""
    random = da.random.default_rng(5)
    x = random.random((size, size), chunks=(chunk, chunk))
    y = random.random((size, size), chunks=(chunk, chunk))
    z = da.matmul(x, y)
    product = z.compute(scheduler=get)

    np.testing.assert_allclose(product, z.compute(scheduler="synchronous"), rtol=1e-12)
    return f"the product of two {size:,} × {size:,} equals Dask's"


if __name__ == "__main__":
    with LocalCluster() as cluster, Client(cluster) as client:
        print(run(client.get))
