"""Values as an executor holds them: packed once, for as short as possible, and named when they cannot travel."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
import pytest

from wukong.testing.kvs import MemoryKvs
from wukong.values.signing import Signer
from wukong.values.values import Values
from wukong_executor.failures import ValueStuck
from wukong_executor.memory import Memory

MB = 1 << 20


def a_memory(kvs: MemoryKvs, recent_bytes: int = 0) -> Memory:
    return Memory(Values(kvs, Signer(b"k" * 32)), "job", "token", 60, recent_bytes)


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("together", [False, True])
def test_the_packed_form_of_a_stored_value_is_dropped(traced: None, together: bool) -> None:
    kvs = MemoryKvs()
    memory = a_memory(kvs)
    for task in range(64):
        memory.by_task[task] = np.ones((6000, 2))[:, 0]  # packed as a copy, since it is not contiguous
    before, _ = tracemalloc.get_traced_memory()
    marks = memory.store_all(range(64), [range(64)] if together else [])
    stored = sum(len(data) for data, _ in kvs._stripes.values())
    assert tracemalloc.get_traced_memory()[0] - before - stored < MB
    reader = a_memory(kvs)
    reader.load(marks)
    assert all((reader.by_task[task] == 1).all() for task in range(64))


def test_a_value_that_cannot_be_packed_is_named() -> None:
    memory = a_memory(MemoryKvs())
    memory.by_task |= {3: 1, 4: threading.Lock()}
    with pytest.raises(ValueStuck) as caught:
        memory.store_all([3, 4], [])
    assert caught.value.task == 4
    assert "_thread.lock" in str(caught.value.reason)


def test_a_result_that_is_not_json_is_named() -> None:
    memory = a_memory(MemoryKvs())
    memory.by_task[5] = {1, 2}
    with pytest.raises(ValueStuck) as caught:
        memory.result(5, as_json=True)
    assert caught.value.task == 5
    assert "JSON" in str(caught.value.reason)


class Trap:
    def __reduce__(self) -> Any:
        return _spring, ()


def _spring() -> NoReturn:
    raise ValueError("the trap shut")


def test_a_value_that_cannot_be_unpacked_is_named() -> None:
    kvs = MemoryKvs()
    memory = a_memory(kvs)
    memory.by_task |= {6: list(range(5000)), 7: Trap(), 8: list(range(5000))}
    marks = memory.store_all([6, 7, 8], [])
    with pytest.raises(ValueStuck) as caught:
        a_memory(kvs).load(marks)
    assert caught.value.task == 7
    assert isinstance(caught.value.reason, ValueError)


def test_a_value_that_was_stored_and_dropped_is_had_again_without_the_store() -> None:
    kvs = MemoryKvs()
    memory = a_memory(kvs, recent_bytes=MB)
    value = memory.by_task[1] = np.ones(10_000)
    mark = memory.store(1)
    memory.drop([1])
    assert 1 not in memory.by_task
    trips = kvs.counters().round_trips
    memory.load([(1, mark)])
    assert memory.by_task[1] is value
    assert kvs.counters().round_trips == trips


def test_values_that_were_stored_together_and_dropped_are_had_again_without_the_store() -> None:
    kvs = MemoryKvs()
    memory = a_memory(kvs, recent_bytes=MB)
    values = memory.by_task[1], memory.by_task[2] = np.ones(1_000), np.zeros(1_000)
    marks = memory.store_all([1, 2], [[1, 2]])
    memory.drop([1, 2])
    assert not memory.by_task
    trips = kvs.counters().round_trips
    memory.load(marks)
    assert all(memory.by_task[task] is value for task, value in zip((1, 2), values, strict=True))
    assert kvs.counters().round_trips == trips


@pytest.mark.parametrize("value", [7, "small", np.arange(10), np.ones(10_000)], ids=repr)
def test_without_inlining_only_results_travel_in_their_marks(value: Any) -> None:
    kvs = MemoryKvs()
    memory = Memory(Values(kvs, Signer(b"k" * 32)), "job", "token", 60, 0, inlines=False)
    memory.by_task[0] = value
    assert memory.inline(0, MB) is None
    mark = memory.store(0)
    assert kvs._stripes
    reader = a_memory(kvs)
    reader.load([(0, mark)])
    assert np.array_equal(reader.by_task[0], value)
    kvs._stripes.clear()
    memory.result(0, as_json=False)
    assert bool(kvs._stripes) == (np.size(value) > 9_000)


def test_without_inlining_small_values_that_are_stored_together_are_in_the_kvs() -> None:
    for inlines in (True, False):
        kvs = MemoryKvs()
        memory = Memory(Values(kvs, Signer(b"k" * 32)), "job", "token", 60, 0, inlines)
        memory.by_task |= {0: 7, 1: "small"}
        marks = memory.store_all([0, 1], [[0, 1]])
        assert len(kvs._stripes) == (0 if inlines else 1)
        reader = a_memory(kvs)
        reader.load(marks)
        assert reader.by_task == {0: 7, 1: "small"}
