"""Dask's collections, computed by Dask's synchronous scheduler and from Wukong's own form of the same graph."""

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from wukong.testing.evaluation import evaluate
from wukong.testing.graphs import same_value

RANDOM = np.random.default_rng(7)
TALL = RANDOM.random((400, 8))
SQUARE = RANDOM.random((120, 120))
POSITIVE = SQUARE @ SQUARE.T + np.eye(120) * 120
BIG = RANDOM.random((300, 300))
FRAME = pd.DataFrame({"a": np.arange(1000) % 7, "b": RANDOM.random(1000), "c": [f"word{i % 13}" for i in range(1000)]})


@pytest.fixture(autouse=True)
def default_scheduler():
    """Dask's settings as they are where a client is the default scheduler."""
    with dask.config.set({"dataframe.shuffle.method": "tasks"}):
        yield


def increment(x):
    return x + 1


def is_even(x):
    return x % 2 == 0


def tall():
    return da.from_array(TALL, chunks=(100, 8))


def square(chunk=40):
    return da.from_array(SQUARE, chunks=chunk)


def frame():
    return dd.from_pandas(FRAME, npartitions=5)


def bag():
    return db.from_sequence(range(100), npartitions=7)


def nested_delayed():
    parts = [dask.delayed(increment)(i) for i in range(6)]
    return dask.delayed(dict)(total=dask.delayed(sum)(parts), parts={"all": parts, "first": [parts[0], (parts[1],)]})


COLLECTIONS = {
    "tsqr": lambda: da.linalg.tsqr(tall()),
    "svd": lambda: da.linalg.svd(tall()),
    "svd compressed": lambda: da.linalg.svd_compressed(square(), 5, seed=3),
    "qr": lambda: da.linalg.qr(tall()),
    "sfqr": lambda: da.linalg.sfqr(da.from_array(TALL.T.copy(), chunks=(8, 100))),
    "cholesky": lambda: [
        da.linalg.cholesky(da.from_array(POSITIVE, chunks=30), lower=lower) for lower in (False, True)
    ],
    "lu": lambda: da.linalg.lu(da.from_array(POSITIVE, chunks=40)),
    "solve": lambda: da.linalg.solve(da.from_array(POSITIVE, chunks=40), da.from_array(SQUARE[0], chunks=40)),
    "matmul": lambda: square() @ square(60),
    "rechunk": lambda: square().rechunk((17, 50)).T.rechunk(70),
    "large blocks": lambda: (da.from_array(BIG, chunks=150) + 1).sum(axis=0),
    "one large block": lambda: da.from_array(BIG, chunks=-1).mean(),
    "slices": lambda: square()[::3, 5:80][[1, 9, 2]],
    "overlap": lambda: square().map_overlap(lambda block: block * 2, depth=2, boundary="reflect"),
    "reductions": lambda: [square().std(), square().var(axis=1), da.percentile(tall()[:, 0], [10, 50])],
    "cumulative": lambda: square().cumsum(axis=0),
    "histogram": lambda: da.histogram(square(), bins=10, range=(0, 1)),
    "unique": lambda: da.unique(da.from_array(np.arange(100) % 9, chunks=30), return_counts=True),
    "random": lambda: da.random.default_rng(3).random((100, 10), chunks=25).sum(axis=1),
    "einsum": lambda: da.einsum("ij,kj->ik", square(), square()),
    "map blocks": lambda: square().map_blocks(lambda block, block_info=None: block * len(block_info), dtype=float),
    "stack": lambda: da.stack([square(), square() + 1]).sum(axis=0),
    "masked": lambda: da.where(square() > 0.5, square(), 0).nonzero()[0],
    "object array": lambda: da.from_array(np.array([{"a": 1}, None, "x"], dtype=object), chunks=2),
    "bag fold": lambda: bag().map(increment).filter(is_even).fold(lambda a, b: a + b),
    "bag group": lambda: bag().foldby(is_even, lambda total, x: total + x, 0),
    "bag statistics": lambda: [bag().mean(), bag().std(), bag().topk(3), bag().frequencies(), bag().distinct()],
    "bag products": lambda: bag().product(bag()).map(sum).sum(),
    "bag to delayed": lambda: bag().to_delayed(),
    "bag accumulate": lambda: bag().accumulate(lambda a, b: a + b),
    "frame mean": lambda: frame().groupby("a").b.mean(),
    "frame apply": lambda: frame().map_partitions(lambda part: part.assign(d=part.b * 2)).d.sum(),
    "frame merge": lambda: frame().merge(frame().groupby("c").b.sum().reset_index(), on="c"),
    "frame tasks shuffle": lambda: frame().shuffle("a", shuffle_method="tasks").b.sum(),
    "frame sort": lambda: frame().sort_values("b").a,
    "frame index": lambda: frame().set_index("b").a.cumsum(),
    "frame describe": lambda: frame().describe(),
    "frame values": lambda: frame()["b"].to_dask_array(lengths=True) + 1,
    "delayed nested": nested_delayed,
    "delayed of array": lambda: dask.delayed(np.sum)(square(), axis=0),
    "delayed attributes": lambda: dask.delayed("a b").split(" ")[1].upper(),
    "delayed keywords": lambda: dask.delayed(dict)(a=dask.delayed(increment)(3), b={"x": dask.delayed(4)}),
}


def equal(left, right):
    if isinstance(left, (pd.DataFrame, pd.Series)):
        return left.equals(right)
    if isinstance(left, (list, tuple)):
        return type(left) is type(right) and len(left) == len(right) and all(map(equal, left, right))
    return same_value(left, right)


@pytest.mark.parametrize("name", COLLECTIONS)
@pytest.mark.parametrize("optimize", [True, False])
def test_collections_equal_dask(name, optimize):
    collections = COLLECTIONS[name]()
    expected = dask.compute(collections, scheduler="sync", optimize_graph=optimize)
    assert equal(dask.compute(collections, scheduler=evaluate, optimize_graph=optimize), expected)


def test_persisted_collections_are_inputs_of_later_graphs():
    x = da.from_array(BIG, chunks=150) * 2
    kept = x.persist(scheduler=evaluate)
    assert np.array_equal((kept + 1).compute(scheduler=evaluate), BIG * 2 + 1)
    kept = frame().persist(scheduler=evaluate)
    assert kept.b.sum().compute(scheduler=evaluate) == pytest.approx(FRAME.b.sum())
