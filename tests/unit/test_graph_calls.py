import json

import numpy as np
import pytest

from wukong.errors import InvalidGraph
from wukong.graph.calls import Call, plan
from wukong.graph.functions import Offer, allowed_functions
from wukong.graph.payload import load
from wukong.graph.program import run


def ref(name):
    return {"$task": name}


def evaluate(calls, targets, functions=None):
    planned = plan(calls, targets)
    values = {}
    for first, data in zip(planned.firsts, planned.payloads, strict=True):
        keys, programs, _ = load(data, functions or allowed_functions())
        assert keys == planned.keys[first : first + len(keys)]
        for task, program in enumerate(programs, first):
            needs = planned.deps[planned.dep_offsets[task] : planned.dep_offsets[task + 1]]
            assert all(needed < task for needed in needs)
            values[task] = run(program, [values[needed] for needed in needs.tolist()])
    assert len(values) == len(planned.keys)
    return [values[task] for task in planned.targets.tolist()]


def test_the_example_of_the_documentation():
    calls = [
        Call("a", "operator:add", [1, 2]),
        Call("b", "math:factorial", [ref("a")]),
        Call("c", "builtins:sum", [[ref("a"), ref("b")]]),
    ]
    assert evaluate(calls, ["c"]) == [9]
    assert evaluate(calls[::-1], ["c", "a", "c"]) == [9, 3]


def echo(*args, **kwargs):
    return [list(args), kwargs]


ECHO = {"t:echo": echo}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3.0, 3),
        (2.5, 2.5),
        (1e300, 1e300),
        (True, True),
        (None, None),
        ("text", "text"),
        ([1.0, [2.0, {"a": 3.0}]], [1, [2, {"a": 3}]]),
        (ref("x"), [[7], {}]),
        ([ref("x"), 1], [[[7], {}], 1]),
        ({"deep": [{"er": ref("x")}]}, {"deep": [{"er": [[7], {}]}]}),
        ({"$literal": ref("x")}, {"$task": "x"}),
        ({"$literal": {"$literal": 4.0}}, {"$literal": 4}),
        ([{"$literal": [ref("x")]}], [[{"$task": "x"}]]),
        ({"$other": 1}, {"$other": 1}),
        ({}, {}),
    ],
)
def test_arguments(value, expected):
    calls = [Call("x", "t:echo", [7.0]), Call("y", "t:echo", [value], {"k": value})]
    (result,) = evaluate(calls, ["y"], ECHO)
    assert json.dumps(result) == json.dumps([[expected], {"k": expected}])


def test_integral_numbers_become_integers():
    (result,) = evaluate([Call("x", "builtins:range", [3.0])], ["x"])
    assert list(result) == [0, 1, 2]


def test_large_graphs_are_ordered_and_cut_into_pages():
    count = 3000
    calls = [Call("0", "t:echo", [])] + [Call(str(i), "operator:add", [ref(str(i - 1)), 1]) for i in range(2, count)]
    calls.insert(0, Call("1", "builtins:len", [ref("0")]))
    planned = plan(calls, [str(count - 1)])
    assert planned.firsts == list(range(0, count, 256))
    assert planned.keys == [str(i) for i in range(count)]
    assert planned.dep_offsets.dtype == planned.deps.dtype == planned.targets.dtype == np.uint32
    assert evaluate(calls, [str(count - 1)], allowed_functions() | ECHO) == [count]
    big = [Call(str(i), "builtins:len", ["x" * 100_000]) for i in range(10)]
    assert evaluate(big, [call.id for call in big]) == [100_000] * 10
    assert len(plan(big, [call.id for call in big]).payloads) == 4


def test_tasks_that_no_target_needs_are_dropped():
    assert plan([Call("a", "builtins:int"), Call("b", "builtins:int")], ["b"]).keys == ["b"]


NESTED = [1]
for _ in range(200):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    ("calls", "targets", "message"),
    [
        ([Call("a", "builtins:int")], [], "no targets"),
        ([], ["a"], "'a' was asked for"),
        ([Call("a", "builtins:int"), Call("a", "builtins:int")], ["a"], "two tasks have the id 'a'"),
        ([Call("a", "builtins:int", [ref("b")])], ["a"], "'a' depends on 'b'"),
        ([Call("a", "builtins:int", [ref("a")])], ["a"], "cycle.*'a' needs 'a'"),
        ([Call("a", "os.system")], ["a"], "'os.system', which is not of the form module:name"),
        ([Call("a", "os:system.x")], ["a"], "not of the form"),
        ([Call("a", "")], ["a"], "not of the form"),
        ([Call("a", "builtins:int", [{"$task": "a", "x": 1}])], ["a"], "not of the form"),
        ([Call("a", "builtins:int", [{"$task": 3}])], ["a"], "not of the form"),
        ([Call("a", "builtins:int", [{"$literal": 3, "x": 1}])], ["a"], "beside other names"),
        ([Call("a", "builtins:int", [b"x"])], ["a"], "JSON does not know: bytes"),
        ([Call("a", "builtins:int", NESTED)], ["a"], "nested more than 100 deep"),
    ],
)
def test_bad_calls_are_refused_by_id(calls, targets, message):
    with pytest.raises(InvalidGraph, match=message):
        plan(calls, targets)


@pytest.mark.parametrize("name", ["os:system", "builtins:eval", "builtins:getattr", "operator:attrgetter", "x.y:z"])
def test_functions_outside_the_list_are_refused(name):
    planned = plan([Call("a", name, ["echo"])], ["a"])
    with pytest.raises(InvalidGraph, match=f"'a' calls '{name}', which is not among"):
        load(planned.payloads[0], allowed_functions())
    with pytest.raises(InvalidGraph, match="not among"):
        load(planned.payloads[0])


def test_the_list_can_be_extended_by_entry_points(tmp_path, monkeypatch):
    (tmp_path / "offered.py").write_text(
        "from math import sin\nOTHER = 3\n\n\ndef work():\n    return 5\n\n\ndef _hidden():\n    pass\n"
    )
    info = tmp_path / "offered-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: offered\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[wukong.functions]\nall = offered\none = statistics:mean\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    allowed = allowed_functions.__wrapped__()
    assert allowed["offered:work"]() == 5
    assert allowed["statistics:mean"]([1, 3]) == 2
    assert not allowed.keys() & {"offered:sin", "offered:_hidden", "offered:OTHER"}
    assert allowed["builtins:sum"] is sum
    offer = Offer.installed()  # imports nothing, so it cannot tell what of a module is a function of its own
    assert all(map(offer.may_have, allowed))
    assert offer.modules == {"offered"}
    assert not offer.may_have("statistics:median")
