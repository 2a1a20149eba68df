"""A model scored over real data, in blocks: the 1,797 handwritten digits of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import sklearn.datasets
from sklearn.base import ClassifierMixin
from sklearn.neighbors import KNeighborsClassifier

from wukong import Client, LocalCluster


def hits(model: ClassifierMixin, images: Any, labels: Any) -> int:
    """How many of the images the model recognises."""
    return int((model.predict(images) == labels).sum())


def run(get: Callable[..., Any], blocks: int = 16, train: int = 597) -> str:
    """Count the digits that a model recognises, block by block; compare with Dask and the model's score."""
    images, labels = sklearn.datasets.load_digits(return_X_y=True)
    model = KNeighborsClassifier().fit(images[:train], labels[:train])
    images, labels = images[train:], labels[train:]

    shared = dask.delayed(model)
    found = dask.delayed(sum)([dask.delayed(hits)(shared, images[i::blocks], labels[i::blocks]) for i in range(blocks)])
    count = found.compute(scheduler=get)

    assert count == found.compute(scheduler="synchronous")
    assert count == round(model.score(images, labels) * len(labels))
    return f"{count:,} of {len(labels):,} digits recognised, as scikit-learn says"


if __name__ == "__main__":
    with LocalCluster() as cluster, Client(cluster) as client:
        print(run(client.get))
