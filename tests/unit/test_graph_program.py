import pickle
import weakref
from operator import add

import numpy as np
from dask._task_spec import List, Task, TaskRef

from wukong.graph.convert import convert
from wukong.graph.program import run


def inc(x):
    return x + 1


class Block:
    """A value that can be watched."""

    def __init__(self):
        alive.add(self)


alive = weakref.WeakSet()


def block(*inputs):
    seen.append(len(alive))
    return Block()


seen = []


def test_each_form_of_a_single_call():
    assert run((add,), [1, 2]) == 3
    assert run((add, (1, 2)), []) == 3
    assert run((divmod, (None, None), ((0, 1), (1, 0))), [2, 7]) == (3, 1)
    assert run((dict, (), (), {"a": 1}, (("b", 0),)), [5]) == {"a": 1, "b": 5}
    assert run((sorted, (None,), ((0, 0),), {"reverse": True}, ()), [[1, 2]]) == [2, 1]


def test_steps_use_dependencies_and_earlier_results():
    steps = (
        (add, None, (0, 1), ()),
        (add, (10, None), ((1, 2),), (2,)),
        (dict, (), (), (3,), {}, (("total", 3),)),
    )
    assert run(steps, [1, 2]) == {"total": 13}


def test_programs_of_the_usual_tasks_are_short():
    shared = [1, 2]
    dsk = {
        "x": (inc, 1),
        "y": (add, "x", "x"),
        "z": (add, "x", "y"),
        "w": Task("w", add, TaskRef("z"), 5),
        "l": (sum, ["x", "y"]),
        "k": Task("k", sorted, shared, reverse=True),
    }
    dag = convert(dsk, list(dsk))
    programs = dict(zip(dag.keys, dag.programs, strict=True))
    assert programs["x"] == (inc, (1,))
    assert programs["y"] == (add, (None, None), ((0, 0), (1, 0)))
    assert programs["z"] == (add,)
    assert programs["w"] == (add, (None, 5), ((0, 0),))
    assert programs["k"] == (sorted, (shared,), (), {"reverse": True}, ())
    assert len(programs["l"]) == 2


def test_tasks_of_one_kind_share_their_program_and_pages_stay_small():
    dsk = {f"x{i}": (inc, 0) for i in range(256)} | {f"y{i}": (add, f"x{i}", f"x{i - 1}") for i in range(1, 256)}
    dag = convert(dsk, [f"y{i}" for i in range(1, 256)])
    assert len({id(program) for program in dag.programs if len(program) == 1}) == 1
    assert len(pickle.dumps(dag.programs)) < 256 * 20


def test_a_fused_chain_holds_two_values_at_a_time():
    chain = [Task(0, block)] + [Task(i, block, TaskRef(i - 1)) for i in range(1, 30)]
    dag = convert({"out": Task.fuse(*chain, key="out")}, ["out"])
    seen.clear()
    run(dag.programs[0], [])
    assert seen == [0] + [1] * 29


def test_a_fused_fan_in_drops_its_inputs_after_their_last_use():
    tasks = [Task(i, block) for i in range(10)]
    tasks.append(Task("merge", block, List(*[TaskRef(i) for i in range(10)])))
    tasks += [Task("a", block, TaskRef("merge")), Task("b", block, TaskRef("a"))]
    dag = convert({"out": Task.fuse(*tasks, key="out")}, ["out"])
    seen.clear()
    run(dag.programs[0], [])
    assert seen == [*range(11), 1, 1]


def test_dependencies_are_let_go_as_soon_as_a_fused_task_is_done_with_them():
    fused = Task.fuse(Task("i", block, TaskRef("x")), Task("j", block, TaskRef("i")), key="out")
    dag = convert({"x": (block,), "out": fused}, ["out"])
    seen.clear()
    run(dag.programs[1], [Block()])
    assert seen == [1, 1]


def test_running_a_program_again_gives_the_same():
    dag = convert({"x": (inc, 1), "y": (dict, [["a", "x"], ["b", (list, ["x", 2])]])}, ["y"])
    results = [run(dag.programs[1], [np.int64(2)]) for _ in range(3)]
    assert results == [{"a": 2, "b": [2, 2]}] * 3
    assert results[0]["b"] is not results[1]["b"]
