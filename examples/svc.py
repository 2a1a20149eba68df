"""Support vector classification through Dask-ML (documentation, section 5.3.1).

The classifier is fitted here, on 1,000 samples; the prediction over many more is the parallel work, timed for
each size as the published example does.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import dask_ml.datasets
import numpy as np
import sklearn.datasets
from dask_ml.wrappers import ParallelPostFit
from sklearn.svm import SVC

from wukong import Client, LocalCluster


def run(get: Callable[..., Any], sizes: Sequence[int] = (50_000, 100_000, 200_000), blocks: int = 20) -> str:
    """Predict the class of random samples, for each size, and compare the classes with Dask's own."""
    X, y = sklearn.datasets.make_classification(n_samples=1000, random_state=6)
    clf = ParallelPostFit(SVC(gamma="scale"))
    clf.fit(X, y)

    results = defaultdict(list)
    for n in sizes:
        X, y = dask_ml.datasets.make_classification(n_samples=n, random_state=n, chunks=n // blocks)
        classes = clf.predict(X)
        begun = time.perf_counter()
        predicted = classes.compute(scheduler=get)
        results["Wukong"].append(f"{time.perf_counter() - begun:.1f} s")

        begun = time.perf_counter()
        np.testing.assert_array_equal(predicted, classes.compute(scheduler="synchronous"))
        results["Dask"].append(f"{time.perf_counter() - begun:.1f} s")
    times = "; ".join(f"{name} {', '.join(seconds)}" for name, seconds in results.items())
    return f"classes of {', '.join(f'{n:,}' for n in sizes)} samples equal Dask's ({times})"


if __name__ == "__main__":
    with LocalCluster() as cluster, Client(cluster) as client:
        print(run(client.get))
