"""Values embedded in graphs: sent once, found again, and gone with those who need them."""

from __future__ import annotations

import gc
from operator import add
from typing import Any

import dask.array as da
import numpy as np
import pytest

from wukong import Client
from wukong.values.values import Values


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The content hashes of the values that this process writes to the stores."""
    hashes: list[str] = []
    store = Values.store

    def count(self: Values, owner: str, *arguments: Any) -> bytes:
        hashes.append(owner.split(":")[1])
        return store(self, owner, *arguments)

    monkeypatch.setattr(Values, "store", count)
    return hashes


def test_an_array_that_is_here_is_sent_once_for_all_its_jobs(client: Client, sent: list[str]) -> None:
    x = da.random.default_rng(1).random((400, 400), chunks=200).persist(scheduler="synchronous")
    expected = x.sum().compute(scheduler="synchronous")
    assert client.compute(x.sum()) == pytest.approx(expected)
    assert len(sent) == 4
    assert client.compute(x.T.sum()) == pytest.approx(expected)
    assert len(sent) == 4


def test_an_array_that_is_persisted_in_the_cluster_is_never_sent(client: Client, sent: list[str]) -> None:
    x = client.persist(da.random.default_rng(1).random((400, 400), chunks=200))
    assert client.compute(x.sum()) == pytest.approx(x.sum().compute(scheduler="synchronous"))
    assert not sent


def test_equal_values_are_one_upload(client: Client, sent: list[str]) -> None:
    one, other = np.ones(50_000), np.ones(50_000)
    assert client.get({"a": one, "b": other, "c": (add, "a", "b"), "d": (np.sum, "c")}, "d") == 100_000
    assert len(set(sent)) == 1


def test_a_value_that_changes_is_sent_again(client: Client, sent: list[str]) -> None:
    value = np.ones(50_000)
    assert client.get({"a": value, "b": (np.sum, "a")}, "b") == 50_000
    value[0] = 11
    assert client.get({"a": value, "b": (np.sum, "a")}, "b") == 50_010
    assert len(set(sent)) == 2


def test_an_upload_goes_with_the_object_that_it_was_made_from(client: Client, sent: list[str]) -> None:
    value = np.full(50_000, 3.0)
    client.get({"a": value, "b": (np.sum, "a")}, "b")
    assert client._session.stores is not None
    (content,) = sent
    assert client._session.stores.mds.hold_input(content, "test", 1) is not None
    client._session.stores.mds.drop_inputs("test")
    del value
    gc.collect()
    other = np.full(50_000, 4.0)
    client.get({"a": other, "b": (np.sum, "a")}, "b")
    assert client._session.stores.mds.hold_input(content, "test", 1) is None


def test_values_of_all_kinds_travel(client: Client) -> None:
    values = {
        "bytes": bytes(100_000),
        "text": "ü" * 100_000,
        "dict": {i: str(i) for i in range(20_000)},
        "transposed": np.arange(90_000.0).reshape(300, 300).T,
        "objects": np.array([None, "x"] * 20_000, dtype=object),
        "dates": np.arange(0, 20_000, dtype="M8[s]"),
    }
    graph: dict[str, Any] = {f"in-{name}": value for name, value in values.items()}
    graph |= {f"out-{name}": (_same, f"in-{name}") for name in values}
    found = client.get(graph, [f"out-{name}" for name in values])
    for (name, value), returned in zip(values.items(), found, strict=True):
        np.testing.assert_array_equal(returned, value, err_msg=name)


def _same(value: Any) -> Any:
    return value
