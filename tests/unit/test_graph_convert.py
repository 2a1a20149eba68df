import random
from collections import OrderedDict, namedtuple
from operator import add, mul

import dask
import numpy as np
import pytest
from dask._task_spec import Alias, DataNode, Dict, GraphNode, List, Task, TaskRef, _execute_subgraph
from dask.local import get_sync
from dask.utils import apply

from wukong.errors import InvalidGraph
from wukong.graph.convert import convert, flatten
from wukong.testing.evaluation import evaluate, evaluate_dag
from wukong.testing.graphs import SHAPES, mix, random_graph, same_value


def inc(x):
    return x + 1


def agree(dsk, keys):
    expected = get_sync(dict(dsk), keys)
    got = evaluate(dsk, keys)
    assert same_value(got, expected)
    return got


@pytest.mark.parametrize("seed", range(100))
def test_random_graphs_equal_dask(seed):
    dsk, keys = random_graph(seed)
    agree(dsk, keys)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1, 2, 3, 500])
def test_every_shape_in_every_size(shape, size):
    agree(*random_graph(size, tasks=size, shape=shape))


def test_random_graphs_are_the_same_for_the_same_seed():
    assert repr(random_graph(5)) == repr(random_graph(5))


Pair = namedtuple("Pair", ["a", "b"])


class Words(list):
    pass


class Upper(str):
    pass


@pytest.mark.parametrize(
    "value",
    [
        (inc, "x"),
        (add, "x", "x"),
        (add, "x", 10),
        (add, 10, 11),
        (sum, ["x", "y", ("t", 1)]),
        (mix, [["x"], [["y", 3], "not a key"]]),
        (mix, {"a": "x"}),
        (mix, {"x": TaskRef("x"), "b": Alias("y")}),
        (mix, [{"a": "x"}]),
        (mix, OrderedDict(a=1)),
        (mix, ("t", 1)),
        (mix, ("t", 2)),
        (mix, ("t", "x")),
        (mix, ("t", ["x"])),
        (mix, (inc, (inc, "x"))),
        (mix, [(inc, "x"), (inc, 5)]),
        (mix, Pair("x", "y")),
        (mix, [Pair("x", [("t", 1)])]),
        (mix, {"x", "z"}),
        (mix, frozenset(["x", "z"])),
        (mix, Upper("x")),
        (mix, np.float64(7.0)),
        (mix, 7),
        (mix, 7.0),
        (mix, True, False),
        (mix, None),
        (mix, "x" * 3000),
        (mix, ["x" * 3000, "x"]),
        (apply, mix, ["x", "y"]),
        (apply, mix, ["x", "y"], {"scale": 3}),
        (apply, mix, ["x"], (dict, [["scale", "y"]])),
        (dict, [["a", "x"], ["b", ["y"]]]),
        (list, ["x", "y"]),
        (list, Words(["x", "y"])),
        ["x", ["y", (inc, "x")], "nope"],
        ("x", "y"),
        ("t", 1),
        {"x", 3},
        {"a": "x"},
        Words(["x"]),
        Words(["no", "keys"]),
        Pair("x", "y"),
        "x",
        "nope",
        7,
        None,
        [],
        (),
        (dict,),
        Task("out", inc, TaskRef("x")),
        Task("out", mix, ["x", TaskRef("x").key], "x", {"x": 1}),
        Task("out", mix, "x", scale=TaskRef("y")),
        Task("out", mix, List("x", TaskRef("x"), List(Alias("y")))),
        Task("out", mix, Dict({"a": TaskRef("x"), "b": 3})),
        Task("out", mix, Task(None, inc, TaskRef("x")), scale=Task(None, inc, TaskRef("x"))),
        Task("out", mix, DataNode(None, [1]), DataNode("x", 5)),
        Alias("out", "x"),
        DataNode("out", "x"),
        List(TaskRef("x"), 1),
        Dict({"a": TaskRef("x")}),
        Task.fuse(Task("i", inc, TaskRef("x")), Task("j", add, TaskRef("i"), TaskRef("y")), key="out"),
        Task.fuse(Task("i", inc, TaskRef("s")), Task("j", mul, TaskRef("i"), TaskRef("s")), key="out"),
        Task.fuse(DataNode("i", 4), Task("j", inc, TaskRef("i")), key="out"),
        Task.fuse(Task("i", inc, TaskRef("x")), Alias("j", "i"), key="out"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_every_form_of_a_task_means_what_dask_says(value):
    dsk = {"x": 3, "y": (inc, "x"), ("t", 1): (inc, "y"), 7: (inc, 100), "s": DataNode("s", 2), "out": value}
    agree(dsk, ["out"])
    agree({**dsk, "after": (listed_again, "out")}, ["after", "out"])


def listed_again(x):
    return [x]


def test_constants_of_the_same_value_and_other_type_stay_apart():
    assert agree({"a": (repr, 1), "b": (repr, True), "c": (repr, 1.0)}, ["a", "b", "c"]) == ("1", "True", "1.0")


def test_operands_keep_their_order_when_a_fused_task_lists_its_inputs_otherwise():
    inner = {"out": Task("out", divmod, TaskRef("b"), TaskRef("a"))}
    task = Task("t", _execute_subgraph, inner, "out", ("a", "b"), TaskRef("x"), TaskRef("y"))
    assert agree({"x": (inc, 2), "y": (inc, 10), "t": task}, ["t"]) == ((3, 2),)


def test_a_fused_graph_that_tasks_share_is_compiled_once():
    inner = {"i": Task("i", inc, TaskRef("_0")), "out": Task("out", mul, TaskRef("i"), TaskRef("_1"))}
    dsk = {("x", i): Task(("x", i), inc, i) for i in range(4)}
    for i in range(3):
        dsk["z", i] = Task(
            ("z", i), _execute_subgraph, inner, "out", ("_0", "_1"), TaskRef(("x", i)), TaskRef(("x", i + 1))
        )
    same_twice = Task("w", _execute_subgraph, inner, "out", ("_0", "_1"), TaskRef(("x", 0)), TaskRef(("x", 0)))
    dsk["w"] = same_twice
    keys = [("z", 0), ("z", 1), ("z", 2), "w"]
    agree(dsk, keys)
    agree(dsk, keys[::-1])
    dag = convert(dsk, keys)
    assert dag.programs[dag.index["z", 0]] is dag.programs[dag.index["z", 1]]
    assert dag.dependencies(dag.index["w"]) == [dag.index["z", 0] - 2]


def test_inputs_of_fused_graphs_that_differ_only_in_type_or_sign_stay_apart():
    inner = {"out": Task("out", repr, TaskRef("_0"))}
    inputs = [1, True, 1.0, 0.0, -0.0, (1, 2), (True, 2), ((1,), 2), "1", b"1", None, [1], int, float, np.int64(1), ()]
    dsk = {
        ("r", i): Task(("r", i), _execute_subgraph, inner, "out", ("_0",), DataNode(None, value))
        for i, value in enumerate(inputs)
    }
    assert agree(dsk, list(dsk)) == tuple(map(repr, inputs))


def test_a_fused_graph_whose_data_is_one_of_its_inputs_too():
    inner = {"data": DataNode("data", LARGE), "out": Task("out", np.dot, TaskRef("data"), TaskRef("_0"))}
    dsk = {"x": DataNode("x", LARGE), "t": Task("t", _execute_subgraph, inner, "out", ("_0",), TaskRef("x"))}
    dag = convert(dsk, ["t"])
    assert dag.dependencies(1) == [0]
    agree(dsk, ["t"])


class Custom(GraphNode):
    __slots__ = ("offset",)

    def __init__(self, key, target, offset):
        self.key = key
        self.offset = offset
        self._dependencies = frozenset([target])

    def __call__(self, values):
        (value,) = values.values()
        return value + self.offset

    def __reduce__(self):
        return Custom, (self.key, next(iter(self._dependencies)), self.offset)


class LoudTask(Task):
    __slots__ = ()

    def __call__(self, values=()):
        return ("loud", super().__call__(values))


def test_node_classes_that_are_not_dasks_run_as_they_define():
    dsk = {"x": 5, "a": Custom("a", "x", 3), "b": LoudTask("b", add, TaskRef("a"), TaskRef("x"))}
    dsk["c"] = Task("c", listed_again, LoudTask(None, inc, TaskRef("a")))
    assert agree(dsk, ["a", "b", "c"]) == (8, ("loud", 13), [("loud", 9)])


def test_results_nest_as_asked_and_a_key_may_be_asked_for_twice():
    dsk = {"x": 1, ("y", 0): (inc, "x"), "z": Alias("z", ("y", 0))}
    assert agree(dsk, ["x", ["z", [("y", 0), "x"]], [], "x"]) == (1, (2, (2, 1)), (), 1)
    assert evaluate(dsk, ("y", 0)) == 2
    assert evaluate(dsk, "z") == 2


def test_tasks_that_no_key_needs_are_dropped():
    dag = convert({"a": (inc, 1), "b": (inc, "a"), "c": (inc, "b"), "bad": (inc, "bad")}, ["b"])
    assert dag.keys == ["a", "b"]


def test_aliases_vanish_and_small_constants_move_into_their_users():
    dsk = {"x": 1, "y": "x", "z": Alias("z", "y"), "a": (inc, "z"), "b": Alias("b", "a"), "c": (inc, "b")}
    dag = convert(dsk, ["c", "b", "x"])
    assert dag.keys == ["a", "c", "x"]
    assert dag.deps.tolist() == [0]
    assert dag.index["b"] == dag.keys.index("a")
    assert evaluate_dag(dag)[dag.index["c"]] == 3
    assert evaluate_dag(dag)[dag.index["x"]] == 1


def test_order_is_depth_first_with_siblings_together():
    dsk = {f"l{i}": (inc, i) for i in range(4)}
    dsk |= {"m0": (add, "l0", "l1"), "m1": (add, "l2", "l3"), "top": (add, "m0", "m1")}
    assert convert(dsk, ["top"]).keys == ["l0", "l1", "m0", "l2", "l3", "m1", "top"]


def test_edges_are_distinct():
    dag = convert({"x": (inc, 1), "a": "x", "y": (mix, "x", "a", ["x"], (inc, "x"))}, ["y"])
    assert dag.dependencies(1) == [0]


LARGE = np.arange(20_000.0)


def test_large_values_become_inputs_and_one_object_becomes_one_input():
    dsk = {
        "data": DataNode("data", LARGE),
        "again": LARGE,
        "task": Task("task", np.add, LARGE, TaskRef("data")),
        "plain": (np.sum, [LARGE, "again"]),
        "fused": Task.fuse(DataNode("i", LARGE), Task("j", np.sum, TaskRef("i")), key="fused"),
        "keyword": Task("keyword", np.sum, a=LARGE),
        "dictionary": (mix, {"a": LARGE}),
        "other": Task("other", np.sum, LARGE.copy()),
    }
    dag = convert(dsk, list(dsk))
    assert len(dag.inputs) == 2
    assert any(value is LARGE for value in dag.inputs.values())
    assert dag.index["data"] == dag.index["again"]
    for task in dag.inputs:
        assert dag.programs[task] is None
    agree(dsk, list(dsk))


@pytest.mark.parametrize(
    "value",
    [
        b"x" * 70_000,
        "x" * 70_000,
        [np.zeros(10_000)],
        {"a": [np.zeros(10_000)]},
        list(range(50_000)),
        pytest.param(object, id="attributes"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_large_values_of_other_types(value):
    if value is object:
        value = Custom("k", "t", np.zeros(10_000))
        value = type("Model", (), {})()
        value.weights = np.zeros(10_000)
    dag = convert({"a": Task("a", id, value)}, ["a"])
    assert list(dag.inputs.values()) == [value]
    dag = convert({"a": (id, value)}, ["a"])
    assert len(dag.inputs) == 1


def test_sizes_do_not_touch_the_users_random_numbers():
    random.seed(1)
    expected = random.random()
    random.seed(1)
    convert({"a": Task("a", len, list(range(1000))), "b": (len, {i: i for i in range(1000)})}, ["a", "b"])
    assert random.random() == expected


def test_functions_may_change_their_dictionary_without_harm_to_other_tasks():
    shared = {"scale": 2, "other": 1}
    dsk = {f"x{i}": (pop_scale, shared) for i in range(5)}
    assert agree(dsk, list(dsk)) == (2,) * 5


def pop_scale(options):
    return options.pop("scale")


def test_deep_graphs_need_no_recursion():
    deep = 20_000
    dsk = {0: (inc, 0.5)} | {("c", i): (inc, ("c", i - 1) if i > 1 else 0) for i in range(1, deep)}
    assert evaluate(dsk, [("c", deep - 1)]) == (deep + 0.5,)
    aliases = {"a0": (inc, 0)} | {f"a{i}": f"a{i - 1}" for i in range(1, deep)}
    dag = convert(aliases, [f"a{i}" for i in range(deep)])
    assert len(dag) == 1
    assert len(dag.index) == deep
    fused = Task.fuse(Task(0, inc, 0), *(Task(i, inc, TaskRef(i - 1)) for i in range(1, deep)), key="out")
    assert evaluate({"out": fused}, "out") == deep


def test_wide_fan_ins():
    dsk = {f"x{i}": (inc, i) for i in range(5000)}
    dsk["sum"] = (sum, list(dsk))
    dsk["args"] = (mix, *[f"x{i}" for i in range(5000)])
    agree(dsk, ["sum", "args"])


def test_flatten_follows_lists_only():
    assert list(flatten([["a", ("t", 1)], [], [[["b"]]]])) == ["a", ("t", 1), "b"]
    deep = "x"
    for _ in range(5000):
        deep = [deep]
    assert list(flatten(deep)) == ["x"]


def test_what_todays_dask_hands_over():
    x = dask.delayed(inc)(1)
    seen = {}

    def get(dsk, keys, **kwargs):
        seen["mapping"] = isinstance(dsk, dict)
        return evaluate(dsk, keys)

    assert dask.compute(x, [x, {"a": x}], scheduler=get) == (2, [2, {"a": 2}])
    assert seen["mapping"] is False
    assert evaluate(x.__dask_graph__(), [x.key]) == (2,)  # a high-level graph


@pytest.mark.parametrize(
    ("dsk", "keys", "message"),
    [
        ({"a": (inc, "b"), "b": (inc, "a")}, ["a"], "cycle.*'a' needs 'b' needs 'a'"),
        ({"a": (inc, "a")}, ["a"], "cycle.*'a' needs 'a'"),
        ({"a": "b", "b": "c", "c": "b"}, ["a"], "cycle.*'b' needs 'c' needs 'b'"),
        (
            {"s": (inc, "c0")} | {f"c{i}": (inc, f"c{(i + 1) % 50}") for i in range(50)},
            ["s"],
            r"'c0' needs 'c1' needs 'c2' needs 'c3' needs \.\.\. 44 more \.\.\. needs 'c48' needs 'c49' needs 'c0'$",
        ),
        ({"a": Task("a", inc, TaskRef("gone"))}, ["a"], "'a' depends on 'gone'"),
        ({"a": Task("a", inc, List(TaskRef("gone")))}, ["a"], "'a' depends on 'gone'"),
        ({"a": Alias("a", "gone"), "b": (inc, "a")}, ["b"], "'b' depends on 'gone'"),
        ({"a": Alias("a", "gone")}, ["a"], "'a' depends on 'gone'"),
        ({"a": "a", "b": (inc, "a")}, ["b"], "'b' depends on 'a'"),
        ({"a": 1}, ["a", "nope"], "'nope' was asked for"),
        ({"a": 1}, ("a",), r"\('a',\) was asked for"),
        ({"a": 1}, [{}], "cannot be a key"),
        ({"a": 1}, [], "no keys"),
        ({}, [[]], "no keys"),
        (
            {"a": Task.fuse(Task("i", inc, TaskRef("gone")), Task("j", inc, TaskRef("i")), key="a")},
            ["a"],
            "'a' depends on 'gone'",
        ),
        (
            {
                "a": Task.fuse(
                    Task("i", inc, TaskRef("j")),
                    Task("j", inc, TaskRef("h")),
                    Task("h", inc, TaskRef("i")),
                    Task("k", inc, TaskRef("i")),
                    key="a",
                )
            },
            ["a"],
            "cycle.*'i' needs 'j' needs 'h' needs 'i'",
        ),
    ],
)
def test_bad_graphs_are_refused_by_name(dsk, keys, message):
    with pytest.raises(InvalidGraph, match=message):
        convert(dsk, keys)


def test_a_cycle_below_a_task_that_was_pushed_twice():
    dsk = {"r": (mix, "a", "b"), "b": (inc, "a"), "a": (inc, "c"), "c": (mix, "d", "a"), "d": (inc, 1)}
    with pytest.raises(InvalidGraph, match=r"cycle[^:]*: '(a' needs 'c' needs 'a|c' needs 'a' needs 'c)'"):
        convert(dsk, ["r"])
