"""`dask.annotate` on its way to tasks, through what Dask does to graphs before it hands them over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import dask.bag as db
import pytest

from wukong.errors import InvalidGraph
from wukong.graph.calls import Call, plan
from wukong.graph.convert import convert
from wukong.graph.dag import Dag
from wukong.graph.payload import cut, load


def converted(*collections: Any, **options: Any) -> Dag:
    """The graph that a scheduler gets for collections."""
    found: list[Dag] = []

    def scheduler(dsk: Any, keys: Any, **_: Any) -> Any:
        found.append(convert(dsk, keys))
        return dask.get(dsk, keys)

    dask.compute(*collections, scheduler=scheduler, **options)
    return found[0]


def one_more(value: Any) -> Any:
    return value + 1


def array() -> Any:
    x = da.ones(100, chunks=10)
    with dask.annotate(retries=3):
        return x.map_blocks(one_more, dtype=float)


def fused_array() -> Any:
    return array() * 2


def bag() -> Any:
    numbers = db.from_sequence(range(100), npartitions=10)
    with dask.annotate(retries=3):
        return numbers.map(one_more).map(one_more)


@pytest.mark.parametrize("make", [array, fused_array, bag])
@pytest.mark.parametrize("options", [{}, {"optimize_graph": False}])
def test_the_tasks_of_an_annotated_collection_are_known_again(make: Callable[[], Any], options: Any) -> None:
    dag = converted(make(), **options)
    assert len(dag.hints.retries) >= 10
    assert set(dag.hints.retries.values()) == {3}
    assert len(dag) > len(dag.hints.retries)  # the one that puts them together is not annotated


def test_delayed_calls_say_each_their_own() -> None:
    with dask.annotate(retries=2, cost=1.5):
        a = dask.delayed(one_more)(1)
    with dask.annotate(retries=lambda key: 7):
        b = dask.delayed(one_more)(a)
    dag = converted(dask.delayed(one_more)(b))
    assert [dag.hints.retries.get(task) for task in range(3)] == [2, 7, None]
    assert dag.hints.seconds == {0: 1.5}


def test_a_fused_task_has_the_most_retries_and_the_time_of_all() -> None:
    numbers = db.from_sequence(range(4), npartitions=1)
    with dask.annotate(retries=1, cost=2):
        once = numbers.map(one_more)
    with dask.annotate(retries=5, cost=3):
        twice = once.map(one_more)
    dag = converted(twice)
    assert set(dag.hints.retries.values()) == {5}
    assert set(dag.hints.seconds.values()) == {5.0}


def test_a_plain_graph_has_the_annotations_of_the_moment() -> None:
    graph = {"a": 1, "b": (one_more, "a")}
    with dask.annotate(retries=4, priority=3):
        assert convert(graph, "b").hints.retries == {0: 4}
    assert convert(graph, "b").hints.retries == {}


@pytest.mark.parametrize("said", [{"retries": 1.5}, {"retries": -1}, {"cost": "much"}, {"cost": -1.0}])
def test_a_wrong_annotation_is_named_with_its_task(said: dict[str, Any]) -> None:
    with dask.annotate(**said), pytest.raises(InvalidGraph, match=rf"{next(iter(said))}=.* of 'b'"):
        convert({"b": (one_more, 1)}, "b")


def test_hints_travel_with_the_pages_of_their_tasks() -> None:
    graph: dict[Any, Any] = {("x", i): (one_more, i) for i in range(1000)}
    graph["sum"] = (lambda *values: sum(values), *graph)
    keys = {("x", 3): 2, ("x", 900): 5}
    with dask.annotate(retries=lambda key: keys.get(key, 0)):
        dag = convert(graph, "sum")
    plain = convert(graph, "sum")
    found: dict[int, int] = {}
    for payload in cut(dag):
        found.update(load(payload.data).hints.retries)
    assert {dag.keys[task]: count for task, count in found.items() if count} == keys
    assert [load(payload.data).hints.retries for payload in cut(plain)] == [{}] * len(cut(plain))


def test_calls_by_name_carry_their_retries() -> None:
    planned = plan([Call("a", "operator:neg", [1], retries=3), Call("b", "operator:neg", [{"$task": "a"}])], ["b"])
    loaded = load(planned.payloads[0], {"operator:neg": one_more}, first=5)
    assert loaded.hints.retries == {5: 3}
