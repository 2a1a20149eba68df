"""The paper's linear algebra as graphs of Dask arrays, optimized by Dask, seeded: the same for every engine."""

from __future__ import annotations

from typing import Any

import dask
import dask.array as da

from benchmarks.workloads import Asked


def asked(*collections: Any) -> Asked:
    """What Dask hands to a scheduler to compute collections: one optimized graph, and their keys."""
    optimized = dask.optimize(*collections)
    graph: dict[Any, Any] = {}
    for collection in optimized:
        graph |= dict(collection.__dask_graph__())
    return graph, [collection.__dask_keys__() for collection in optimized]


def tsqr(rows: int, columns: int, chunk: int) -> Asked:
    """R of a tall-and-skinny matrix."""
    x = da.random.default_rng(4).random((rows, columns), chunks=(chunk, columns))
    _, r = da.linalg.tsqr(x)
    return asked(r)


def svd_tall(rows: int, columns: int, chunk: int) -> Asked:
    """Singular values and right vectors of a tall-and-skinny matrix."""
    x = da.random.default_rng(1).random((rows, columns), chunks=(chunk, columns))
    _, s, v = da.linalg.svd(x)
    return asked(s, v)


def svd_square(size: int, chunk: int, k: int) -> Asked:
    """The k largest singular values of a square matrix, and their right vectors."""
    x = da.random.default_rng(2).random((size, size), chunks=(chunk, chunk))
    _, s, v = da.linalg.svd_compressed(x, k=k, seed=2)
    return asked(s, v)


def gemm(size: int, chunk: int) -> Asked:
    """The product of two square matrices."""
    random = da.random.default_rng(5)
    x = random.random((size, size), chunks=(chunk, chunk))
    y = random.random((size, size), chunks=(chunk, chunk))
    return asked(da.matmul(x, y))


def qr(size: int, chunk: int) -> Asked:
    """Q and R of a column of blocks, and of a row of blocks."""
    random = da.random.default_rng(3)
    tall = random.random((size, size), chunks=(chunk, size))
    wide = random.random((size, 4 * size), chunks=(size, size))
    return asked(*da.linalg.qr(tall), *da.linalg.qr(wide))


def cholesky(size: int, chunk: int) -> Asked:
    """Upper and lower factor of a symmetric positive-definite matrix."""
    lower = da.tril(da.ones((size, size), chunks=(size, size)))
    x = lower.dot(lower.T).rechunk((chunk, chunk))
    return asked(da.linalg.cholesky(x), da.linalg.cholesky(x, lower=True))
