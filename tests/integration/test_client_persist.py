"""Persisted collections: computed once, their values stay in the cluster while the collection lives."""

from __future__ import annotations

import copy
import gc
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask.base import tokenize
from tests.waiting import until

from wukong import Client, InvalidGraph, LocalCluster, WukongError
from wukong.client import uploads
from wukong.kvs.redis import RedisKvs


@pytest.fixture
def alive(client: Client) -> Callable[[], set[str]]:
    """The jobs that the cluster has since the test began: it is the session's, and keeps those of other tests."""
    before = {name for name, _ in client.jobs()}

    def found() -> set[str]:
        gc.collect()  # what a thread still held a moment ago may be a part of a cycle
        return {name for name, state in client.jobs() if state not in ("gone", "cancelled")} - before

    return found


def fail_on(block: Any, fails: bool) -> Any:
    if fails:
        raise ZeroDivisionError("in the persisted job")
    return block


def wait_for(path: str) -> int:
    while not Path(path).exists():
        time.sleep(0.01)
    return 7


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what this process reads from the key-value store and uploads."""
    found: list[int] = []
    load_many, send = RedisKvs.get_many, uploads.Direct.send

    def counted_load(self: RedisKvs, places: Any) -> Any:
        found.extend(place.nbytes for place in places)
        return load_many(self, places)

    def counted_send(self: uploads.Direct, job_id: str, value: object, content: str, packed: Any) -> Any:
        found.append(packed.nbytes)
        return send(self, job_id, value, content, packed)

    monkeypatch.setattr(RedisKvs, "get_many", counted_load)
    monkeypatch.setattr(uploads.Direct, "send", counted_send)
    return found


@pytest.fixture
def x() -> da.Array:
    return da.random.default_rng(7).random((400, 400), chunks=200)


def test_values_stay_in_the_cluster_and_are_computed_once(
    client: Client, x: da.Array, moved: list[int], tmp_path: Path
) -> None:
    def note(block: Any) -> Any:
        with (tmp_path / "runs").open("a") as runs:
            runs.write("one\n")
        return block + 1

    kept = client.persist(x.map_blocks(note, dtype=float, meta=np.array((), dtype=float)))
    expected = (x + 1).compute(scheduler="sync")
    np.testing.assert_allclose(client.compute(kept.sum()), expected.sum())
    np.testing.assert_allclose(client.compute((kept * kept).mean()), (expected * expected).mean())
    assert moved == []
    np.testing.assert_array_equal(client.compute(kept), expected)
    assert len((tmp_path / "runs").read_text().splitlines()) == 4


def test_persist_returns_before_the_values_are_there(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    kept = client.persist(dask.delayed(wait_for)(str(gate)))
    later = client.submit_graph
    gate.touch()
    assert later(kept.__dask_graph__(), [kept.key]).result() == (7,)
    assert client.compute(kept + 1) == 8


@pytest.mark.parametrize("way", ["method", "function", "default"])
def test_dasks_own_persist_keeps_values_in_the_cluster_too(
    cluster: LocalCluster, x: da.Array, moved: list[int], way: str
) -> None:
    with Client(cluster) as client:
        if way == "method":
            kept = x.persist(scheduler=client.get)
        elif way == "function":
            (kept,) = dask.persist(x, scheduler=client.get)
        else:
            kept = x.persist()
        np.testing.assert_allclose(kept.sum().compute(), x.sum().compute(scheduler="sync"))
    assert moved == []


def test_every_kind_of_collection(client: Client, alive: Callable[[], set[str]], x: da.Array) -> None:
    frame = pd.DataFrame({"a": range(100), "b": [str(i % 7) for i in range(100)]})
    frames = dd.from_pandas(frame, npartitions=4)
    bag = db.from_sequence(range(50), npartitions=5).map(lambda i: i % 7)
    delayed = dask.delayed(sorted)([3, 1, 2])
    array, bag_kept, delayed_kept, total = client.persist(x.T, bag, delayed, x.sum())
    frames_kept = client.persist(frames[frames.a > 10])
    np.testing.assert_allclose(client.compute(array.sum(axis=0)), x.T.sum(axis=0).compute(scheduler="sync"))
    whole = frames[frames.a > 10].compute(scheduler="sync")
    pd.testing.assert_frame_equal(client.compute(frames_kept), whole)
    assert client.compute(frames_kept.a.sum()) == frame[frame.a > 10].a.sum()
    assert client.compute(bag_kept.frequencies()) == bag.frequencies().compute(scheduler="sync")
    assert client.compute(delayed_kept) == [1, 2, 3]
    np.testing.assert_allclose(client.compute(total), x.sum().compute(scheduler="sync"))
    # Persisted again, nothing is computed and nothing copied.
    before = alive()
    again = client.persist(array, bag_kept), client.persist(frames_kept)
    assert alive() <= before
    assert client.compute(again[1].a.sum()) == frame[frame.a > 10].a.sum()


def test_values_that_were_embedded_or_are_used_in_the_same_job_can_be_kept(client: Client) -> None:
    embedded = da.from_array(np.ones((400, 400)), chunks=200).persist(scheduler=client.get)
    assert client.compute(embedded.sum()) == 160_000
    small = da.ones(2000, chunks=100)
    kept, total = client.persist(small, small.sum())
    assert client.compute(total) == 2000
    assert client.compute((kept + 1).sum()) == 4000
    chained = client.persist(client.persist(kept + 1) * 2)
    assert client.compute(chained.sum()) == 8000


def test_a_collection_also_works_without_the_cluster(
    client: Client, alive: Callable[[], set[str]], x: da.Array
) -> None:
    kept = client.persist(x + 1)
    expected = (x + 1).compute(scheduler="sync")
    np.testing.assert_array_equal(kept.compute(scheduler="sync"), expected)
    np.testing.assert_array_equal((kept[:3] + 1).compute(scheduler="threads"), expected[:3] + 1)
    assert tokenize(kept) == tokenize(copy.deepcopy(kept))
    travelled = pickle.loads(pickle.dumps(kept))
    del kept
    gc.collect()
    until(lambda: not alive())
    np.testing.assert_array_equal(travelled.compute(scheduler="sync"), expected)


def test_values_go_with_the_last_collection_that_is_made_of_them(
    client: Client, alive: Callable[[], set[str]], x: da.Array
) -> None:
    kept = client.persist(x)
    part = kept[:10].sum()
    del kept
    gc.collect()
    assert client.compute(part) == pytest.approx(x[:10].sum().compute(scheduler="sync"))
    until(lambda: len(alive()) == 1)
    del part
    gc.collect()
    until(lambda: not alive())


def test_values_are_there_after_the_deadline_of_their_job(client: Client, x: da.Array) -> None:
    kept = client.persist(x, deadline=2.0)
    over = time.monotonic() + 2.5
    total = client.compute(kept.sum())
    until(lambda: time.monotonic() > over)
    assert client.compute(kept.sum()) == total


def test_errors_are_raised_where_the_values_are_used(client: Client, x: da.Array) -> None:
    kept = client.persist(x.map_blocks(fail_on, True, dtype=float, meta=np.array((), dtype=float)))
    with pytest.raises(ZeroDivisionError, match="in the persisted job"):
        client.compute(kept.sum())
    with pytest.raises(ZeroDivisionError, match="in the persisted job"):
        kept.compute(scheduler="sync")


def test_a_closed_client_and_another_cluster_are_named(cluster: LocalCluster, client: Client, x: da.Array) -> None:
    with Client(cluster) as other:
        kept = other.persist(x)
        (node, *_) = dict(kept.__dask_graph__()).values()
        with pytest.raises(InvalidGraph, match=r"another cluster .* than 127\.0\.0\.1:1"):
            node.args[0].stands("127.0.0.1:1")
    for scheduler in (client.get, "sync"):
        with pytest.raises(WukongError, match=r"persisted value .* went with its client, which is closed"):
            kept.sum().compute(scheduler=scheduler)


def test_options_go_with_the_job(client: Client, x: da.Array) -> None:
    with pytest.raises(InvalidGraph, match="deadline"):
        client.persist(x, deadline=-1.0)
    assert client.compute(client.persist(x, deadline=60.0, max_parallelism=1, optimize_graph=False).size) == 160_000
    assert client.compute(client.persist(dask.delayed(lambda: None)())) is None


def test_arguments_are_looked_through_unless_told_not_to(client: Client, x: da.Array) -> None:
    assert client.persist([1, 2], traverse=False) == [1, 2]
    (kept,) = client.persist([x], traverse=True)
    assert client.compute(kept.size) == 160_000
    assert client.persist([x], traverse=False) == [x]


def test_a_persisted_graph_holds_futures_as_dask_expects_it_of_a_cluster(client: Client) -> None:
    x = client.persist(da.ones((4, 6), chunks=(2, 3)))
    chunk = x.dask[(x.name, 1, 0)].result()
    np.testing.assert_array_equal(chunk, np.ones((2, 3)))
