"""Support vector classification of many samples through Dask-ML, as examples/svc.py does."""

from __future__ import annotations

import dask_ml.datasets
import sklearn.datasets
from dask_ml.wrappers import ParallelPostFit
from sklearn.svm import SVC

from benchmarks.arrays import asked
from benchmarks.workloads import Asked


def svc(rows: int, blocks: int) -> Asked:
    """The classes of random samples, from a classifier that is fitted here."""
    samples, classes = sklearn.datasets.make_classification(n_samples=1000, random_state=6)
    fitted = ParallelPostFit(SVC(gamma="scale"))
    fitted.fit(samples, classes)
    many, _ = dask_ml.datasets.make_classification(n_samples=rows, random_state=rows, chunks=rows // blocks)
    return asked(fitted.predict(many))
