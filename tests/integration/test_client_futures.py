"""Futures on a real cluster: values that stay there, and are used by later calls and graphs."""

from __future__ import annotations

import concurrent.futures
import copy
import gc
import sys
import threading
import time
import warnings
from operator import add, mul
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask.base import tokenize
from tests.waiting import until

import wukong
from wukong import Client, Future, InvalidGraph, JobCancelled, LocalCluster, TaskError, WukongError
from wukong.client import upload_size
from wukong.errors import LargeUploadWarning
from wukong.values.values import Values


def wait_for(path: str) -> str:
    while not Path(path).exists():
        time.sleep(0.01)
    return "done"


def touch_and_linger(path: str) -> None:
    Path(path).touch()
    time.sleep(300)


def reciprocal(number: int) -> float:
    return 1 / number


class NoPickleError(Exception):
    def __reduce__(self) -> Any:
        raise TypeError("not this one")


def raise_unpicklable() -> None:
    raise NoPickleError("text of it")


def alive(client: Client) -> set[str]:
    return {name for name, state in client.jobs() if state not in ("gone", "cancelled")}


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the values that this process reads from the key-value store."""
    sizes: list[int] = []
    load_many = Values.load_many

    def count(self: Values, items: Any) -> list[object]:
        sizes.extend(self.nbytes(mark) for _, _, mark in items)
        return load_many(self, items)

    monkeypatch.setattr(Values, "load_many", count)
    return sizes


def test_a_future_has_the_value_of_its_call(client: Client) -> None:
    future = client.submit(divmod, 17, 5)
    assert isinstance(future, Future)
    assert isinstance(future, concurrent.futures.Future)
    assert future.result(timeout=20) == (3, 2)
    assert future.done()
    assert not future.running()
    assert future.exception() is None
    assert client.submit(int, "ff", base=16).result() == 255


def test_a_map_is_one_job(client: Client) -> None:
    before = {name for name, _ in client.jobs()}
    futures = client.map(pow, range(300), [2] * 300)
    assert client.gather(futures) == [number**2 for number in range(300)]
    assert len({name for name, _ in client.jobs()} - before) == 1
    assert len({future.job for future in futures}) == 1
    assert client.map(abs, []) == []
    assert client.gather(client.map(round, [1.26, 3.14], ndigits=1)) == [1.3, 3.1]


def test_each_call_has_its_own_exception(client: Client) -> None:
    futures = client.map(reciprocal, [2, 0, 4])
    assert futures[0].result() == 0.5
    assert futures[2].result() == 0.25
    with pytest.raises(ZeroDivisionError) as caught:
        futures[1].result()
    assert isinstance(caught.value.__cause__, TaskError)
    assert "in reciprocal" in caught.value.__cause__.remote_traceback
    with pytest.raises(ZeroDivisionError):
        client.gather(futures)
    with pytest.raises(ZeroDivisionError):
        client.submit(add, 1, futures[1]).result()
    with pytest.raises(TaskError, match="text of it"):
        client.submit(raise_unpicklable).result()


def test_futures_are_arguments_of_later_calls_and_their_values_do_not_come_here(
    client: Client, moved: list[int]
) -> None:
    large = client.submit(np.arange, 1_000_000)
    small = client.submit(np.arange, 10.0)
    number = client.submit(add, 1, 2)
    sums = client.map(np.sum, [large, small])
    nested = client.submit(_describe, [number, (large, 1)], {"a": small, "b": 5}, word={"k": [large]})
    assert client.gather(sums) == [499_999_500_000, 45]
    assert nested.result() == (3, 1_000_000, 10, 5, 1_000_000)
    assert client.submit(mul, number, number).result() == 9
    assert max(moved, default=0) < 100_000
    np.testing.assert_array_equal(large.result(), np.arange(1_000_000))
    np.testing.assert_array_equal(client.gather([small, large, small])[1], np.arange(1_000_000))
    assert max(moved) >= 8_000_000


def _describe(first: list[Any], second: dict[str, Any], word: dict[str, Any]) -> tuple[Any, ...]:
    return first[0], len(first[1][0]), len(second["a"]), second["b"], len(word["k"][0])


def test_futures_stand_in_graphs_for_their_values(client: Client) -> None:
    x = client.submit(np.ones, 100_000)
    assert client.get({"x": x, "y": (np.sum, "x"), "z": (add, "y", 1)}, ["y", "z"]) == (100_000, 100_001)
    assert client.get({"s": (sum, [(np.sum, x), 5])}, "s") == 100_005
    assert client.compute(dask.delayed(np.sum)(x)) == 100_000
    (found,) = client.get({"x": x}, ["x"])
    np.testing.assert_array_equal(found, np.ones(100_000))
    # A value that an earlier job adopted is handed on again.
    job = client.submit_graph({"y": (np.negative, x)}, "y")
    del x
    gc.collect()
    np.testing.assert_array_equal(job.result(), -np.ones(100_000))


@pytest.mark.parametrize("scheduler", ["wukong", "threads"])
def test_futures_are_found_at_any_depth_of_dasks_own_calls(client: Client, scheduler: str) -> None:
    options = {"scheduler": client.get if scheduler == "wukong" else scheduler}
    three, ones = client.submit(add, 1, 2), client.submit(np.ones, 100_000)
    assert dask.delayed(sum)([three, 4]).compute(**options) == 7
    assert dask.delayed(_total)({"a": (ones, [three]), "b": 1}).compute(**options) == 100_004
    assert dask.delayed(sum)(client.map(abs, [-1, -2])).compute(**options) == 3
    assert dask.compute(three, [three, {"x": three}], da.ones(5).sum(), **options) == (3, [3, {"x": 3}], 5)
    blocks = da.ones(4, chunks=2).map_blocks(add, three, dtype=float, meta=np.array((), dtype=float))
    assert blocks.sum().compute(**options) == 16
    failed = client.submit(reciprocal, 0)
    with pytest.raises(ZeroDivisionError):
        dask.delayed(sum)([failed, 1]).compute(**options)


def _total(content: dict[str, Any]) -> float:
    return float(content["a"][0].sum()) + content["a"][1][0] + content["b"]


def test_a_future_is_a_collection_of_its_own(client: Client) -> None:
    future = client.submit(add, 1, 2)
    assert client.compute(future) == 3
    assert client.compute({"x": [future]}) == {"x": [3]}
    assert client.persist(future) is future
    frame = dd.from_pandas(pd.DataFrame({"a": [1, 2]}), npartitions=2)
    assert client.compute(frame.map_partitions(add, future, meta=frame).a.sum()) == 9
    assert tokenize(future) == tokenize(future) != tokenize(client.submit(add, 1, 2))
    assert copy.deepcopy([future]) == [future]


def test_gather_takes_futures_only(client: Client) -> None:
    future = client.submit(add, 1, 2)
    assert client.gather(future) == 3
    assert client.gather(iter([future])) == [3]
    with pytest.raises(TypeError, match="gather was given 'x', which is no future"):
        client.gather({"x": future})  # type: ignore[arg-type]


def test_a_call_waits_for_its_arguments(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    first = client.submit(wait_for, str(gate))
    second = client.submit(add, first, "!")
    third = client.submit(add, second, "!")
    assert concurrent.futures.wait([first, second, third], timeout=0.1).not_done == {first, second, third}
    with pytest.raises(TimeoutError):
        third.result(timeout=0.01)
    gate.touch()
    assert third.result(timeout=20) == "done!!"


def test_a_hidden_future_is_named(client: Client) -> None:
    future = client.submit(abs, -1)
    with pytest.raises(InvalidGraph, match="inside another object"):
        client.submit(_describe_any, _Box(future)).result()


class _Box:
    def __init__(self, content: object) -> None:
        self.content = content


def _describe_any(value: object) -> str:
    return repr(value)


def test_they_complete_one_by_one(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    futures = client.map(_wait_if, [None, str(gate), None])
    waited = concurrent.futures.as_completed(futures, timeout=30)
    assert {next(waited), next(waited)} == {futures[0], futures[2]}
    assert not futures[1].done()
    until(futures[1].running)
    gate.touch()
    assert next(waited) is futures[1]


def _wait_if(path: str | None) -> str:
    return "free" if path is None else wait_for(path)


def test_a_cancelled_future_stops_its_task(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "started"
    future = client.submit(touch_and_linger, str(path))
    until(path.exists)
    called = threading.Event()
    future.add_done_callback(lambda _: called.set())
    assert future.cancel()
    assert future.cancel()
    assert called.is_set()
    assert future.cancelled()
    for use in (future.result, future.exception):
        with pytest.raises(JobCancelled, match="cancelled"):
            use()
    assert concurrent.futures.wait([future], timeout=1).done == {future}
    until(lambda: future.job is not None and future.job.state == "cancelled")
    done = client.submit(abs, -1)
    done.result()
    assert not done.cancel()


def test_one_cancelled_future_leaves_the_others_of_its_job(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    kept, dropped = client.map(wait_for, [str(gate), str(gate)])
    assert dropped.cancel()
    gate.touch()
    assert kept.result(timeout=20) == "done"
    with pytest.raises(concurrent.futures.CancelledError):
        client.gather([kept, dropped])


def test_a_failed_job_ends_all_its_futures(client: Client) -> None:
    futures = client.map(_unpicklable_if, [False, True])
    for future in futures:
        with pytest.raises((TypeError, TaskError)):
            future.result(timeout=20)


def _unpicklable_if(bad: bool) -> Any:
    return threading.Lock() if bad else 1


def test_values_go_with_the_last_who_wants_them(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    first = client.submit(np.ones, 100_000)
    first.result()
    assert first.job is not None
    name = first.job.id
    late = client.submit(_sum_after, str(gate), first)
    until(late.running)
    del first
    gc.collect()
    gate.touch()
    assert late.result(timeout=20) == 100_000
    until(lambda: name not in alive(client))


def _sum_after(path: str, array: Any) -> float:
    wait_for(path)
    return float(array.sum())


def test_large_arguments_are_warned_about_where_the_call_is(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_size, "LARGE_BYTES", 500_000)
    with pytest.warns(LargeUploadWarning) as caught:
        future, line = client.submit(np.sum, np.ones(100_000)), sys._getframe().f_lineno
    assert [(warning.filename, warning.lineno) for warning in caught] == [(__file__, line)]
    assert future.result() == 100_000
    held = np.ones(100_000)
    with pytest.warns(LargeUploadWarning, match="functions and small arguments"):
        (future,) = client.map(lambda scale: scale * held.sum(), [2])
    assert future.result() == 200_000


def test_whoever_takes_warnings_for_errors_gets_them_where_the_call_is(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_size, "LARGE_BYTES", 500_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(LargeUploadWarning, match="holds 1 MB of data"):
            client.submit(np.sum, np.ones(100_001))


def test_a_closed_client_ends_its_futures(cluster: LocalCluster, client: Client, tmp_path: Path) -> None:
    brief = Client(cluster)
    done = brief.submit(np.ones, 100_000)
    done.result()
    future = brief.submit(wait_for, str(tmp_path / "never"))
    until(future.running)
    assert future.job is not None
    name = future.job.id
    brief.close()
    with pytest.raises(JobCancelled, match="client was closed"):
        future.result(timeout=20)
    for use in (done.result, client.submit(np.sum, done).result):
        with pytest.raises(WukongError, match=r"future .* went with its client, which is closed"):
            use()
    with pytest.raises(WukongError, match="client is closed"):
        brief.submit(abs, 1)
    until(lambda: name not in alive(client))


def test_a_future_of_another_cluster_is_refused(client: Client) -> None:
    with LocalCluster(environments=1) as elsewhere, wukong.Client(elsewhere) as other:
        future = other.submit(np.ones, 100_000)
        with pytest.raises(InvalidGraph, match="another cluster"):
            client.submit(np.sum, future).result(timeout=20)


def test_clients_of_one_cluster_share_futures(client: Client, cluster: LocalCluster) -> None:
    other = Client(cluster)
    future = other.submit(np.ones, 100_000)
    assert client.submit(np.sum, future).result() == 100_000
    other.close()


def test_many_single_calls_take_turns(client: Client) -> None:
    futures = [client.submit(abs, -number) for number in range(60)]
    assert client.gather(futures) == list(range(60))


def test_a_client_that_cannot_reach_the_stores_has_futures_too(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wukong.client.session.reach", lambda cluster: None)
    client = Client(cluster)
    large, small, number = client.submit(np.ones, 100_000), client.submit(np.ones, 100), client.submit(abs, -1)
    assert client.gather(client.map(np.sum, [large, small, number])) == [100_000, 100, 1]
    np.testing.assert_array_equal(large.result(), np.ones(100_000))
    np.testing.assert_array_equal(small.result(), np.ones(100))
    with pytest.raises(ZeroDivisionError):
        client.submit(reciprocal, 0).result()
    client.close()
