"""The graphs of calls, and the threads that follow them."""

from __future__ import annotations

import pickle
import threading
from operator import add

import pytest

from wukong.client.batch import calls, embed
from wukong.client.lanes import Lanes
from wukong.graph.attempt import Failed, attempt
from wukong.graph.convert import convert
from wukong.graph.program import run
from wukong.graph.reference import Reference


class Elsewhere(Reference):
    def stands(self, address: str) -> tuple[str, int]:
        return "job", 0

    def value(self) -> str:
        return "value"


def test_each_call_is_a_task() -> None:
    graph = calls(pow, [(2, 3), (3, 2)], {"mod": 5})
    dag = convert(graph, list(graph))
    assert [run(program, []) for program in dag.programs if program] == [3, 4]
    assert len(dag.targets) == 2
    assert {name for name, _ in graph} != {name for name, _ in calls(pow, [(2, 3), (3, 2)], {})}


def test_references_become_inputs_wherever_they_can_be_seen() -> None:
    one, two = Elsewhere(), Elsewhere()
    graph = calls(lambda *args, **words: (args, words), [(one, [1, (two, 2)], {"k": one})], {"word": {"x": [two]}})
    dag = convert(graph, list(graph))
    assert sorted(map(id, dag.inputs.values())) == sorted([id(one), id(two)])
    target = int(dag.targets[0])
    values = {id(one): "one", id(two): "two"}
    program = dag.programs[target]
    assert program is not None
    found = run(program, [values[id(dag.inputs[task])] for task in dag.dependencies(target)])
    assert found == (("one", [1, ("two", 2)], {"k": "one"}), {"word": {"x": ["two"]}})


def test_arguments_without_references_stay_the_objects_that_they_are() -> None:
    for value in ([1, [2]], (1, 2), {"a": [1]}, {1, 2}, "text", None):
        assert embed(value) is value


def test_an_exception_is_a_value() -> None:
    assert attempt(add, 1, 2) == 3
    failed = attempt(int, "x")
    assert isinstance(failed, Failed)
    assert failed.kind == "builtins.ValueError"
    assert isinstance(pickle.loads(failed.exception), ValueError)
    assert failed.traceback.endswith("invalid literal for int() with base 10: 'x'\n")

    def too_much() -> None:
        raise ValueError(bytes(1_000_000))

    failed = attempt(too_much)
    assert failed.exception == b""
    assert len(pickle.dumps(failed)) < 64 * 1024


def test_interrupts_are_no_values() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(interrupt)


def test_work_may_wait_for_work_that_came_before() -> None:
    lanes = Lanes()
    done = [threading.Event() for _ in range(100)]
    gate = threading.Event()

    def work(number: int) -> None:
        assert (done[number - 1] if number else gate).wait(20)
        done[number].set()

    for number in range(100):
        lanes.put(lambda number=number: work(number))  # type: ignore[misc]
    gate.set()
    assert done[-1].wait(20)
