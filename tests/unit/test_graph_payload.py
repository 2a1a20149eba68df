import subprocess
import sys
import textwrap
import threading
import types

import cloudpickle
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from wukong.errors import InvalidGraph, LimitExceeded, MissingModule
from wukong.graph import payload as payloads
from wukong.graph.convert import convert
from wukong.graph.modules import is_user_module, register_user_modules
from wukong.graph.payload import cut, load
from wukong.graph.program import run
from wukong.testing.evaluation import evaluate


def inc(x):
    return x + 1


def constants(count, size):
    """Tasks whose constants take `size` bytes each, too little to be uploaded."""
    return {f"x{i}": (len, np.full(size, i, np.uint8)) for i in range(count)}


@pytest.mark.parametrize(
    ("dsk", "most", "pages"),
    [
        ({f"x{i}": (inc, i) for i in range(1000)}, 256, 4),
        (constants(100, 10_000), 26, 4),
        (constants(30, 60_000), 5, 8),
        (constants(50, 60_000) | {f"z{i}": (inc, i) for i in range(1000)}, 256, 21),
        ({"x": (len, ["x" * 1000 + str(i) for i in range(60)])}, 1, 1),
    ],
)
def test_pages_follow_each_other_and_keep_their_limits(dsk, most, pages):
    dag = convert(dsk, list(dsk))
    cuts = cut(dag)
    assert len(cuts) == pages
    first = 0
    keys = []
    for page in cuts:
        assert page.first == first
        assert page.count <= most
        assert page.count == 1 or len(page.data) <= payloads.MOST_BYTES
        first += page.count
        page_keys, programs, _ = load(page.data)
        assert len(page_keys) == len(programs) == page.count
        keys += page_keys
    assert keys == dag.keys


def test_functions_without_a_module_travel_along():
    offset = 5
    (page,) = cut(convert({f"x{i}": (lambda x: x + offset, i) for i in range(10)}, [f"x{i}" for i in range(10)]))
    assert [run(program, []) for program in load(memoryview(page.data))[1]] == list(range(5, 15))


def test_a_task_that_cannot_be_pickled_is_named_with_the_reason():
    dsk = {("x", i): (inc, i) for i in range(600)}
    dsk["x", 437] = (inc, threading.Lock())
    with pytest.raises(InvalidGraph, match=r"task \('x', 437\) cannot be sent.*cannot pickle '_thread.lock'"):
        cut(convert(dsk, list(dsk)))
    with pytest.raises(InvalidGraph, match=r"task 'gen'.*cannot pickle 'generator'"):
        cut(convert({"gen": (sum, (i for i in range(3)))}, ["gen"]))


def test_a_task_past_the_limit_is_named(monkeypatch):
    monkeypatch.setattr(payloads, "LIMIT_BYTES", 100_000)
    monkeypatch.setattr(payloads, "MOST_BYTES", 50_000)
    held = np.zeros(20_000)
    with pytest.raises(LimitExceeded, match=r"task 'big' when pickled is 1.*above the limit of 100,000") as error:
        cut(convert({"small": (inc, 1), "big": (lambda: held.sum(),)}, ["small", "big"]))
    assert error.value.maximum == 100_000


def module(name, source):
    made = types.ModuleType(name)
    exec(source, made.__dict__)
    sys.modules[name] = made
    return made


@pytest.mark.parametrize("missing", ["module", "function"])
def test_what_is_not_installed_is_named(missing):
    made = module("not_on_executors", "def work():\n    return 1\n")
    try:
        (page,) = cut(convert({"x": (made.work,)}, ["x"]))
    finally:
        del sys.modules["not_on_executors"]
    if missing == "function":
        module("not_on_executors", "")
    try:
        with pytest.raises(MissingModule, match=r"cannot import 'not_on_executors'") as error:
            load(page.data)
    finally:
        sys.modules.pop("not_on_executors", None)
    assert error.value.module == "not_on_executors"


def test_other_data_is_refused():
    with pytest.raises(ValueError, match="not a payload"):
        load(b"Xabc")
    with pytest.raises(ValueError, match="not a payload"):
        load(b"")


@pytest.fixture
def user_module(tmp_path, monkeypatch):
    (tmp_path / "their_code.py").write_text(
        "FACTOR = 3\n\n\ndef work(x):\n    return inner(x) * FACTOR\n\n\ndef inner(x):\n    return x + 1\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import their_code

    yield their_code
    if "their_code" in cloudpickle.list_registry_pickle_by_value():
        cloudpickle.unregister_pickle_by_value(their_code)
    del sys.modules["their_code"]


@pytest.mark.parametrize("by_value", ["auto", ["their_code"], "their_code"])
def test_the_users_modules_travel_with_the_graph(user_module, by_value, monkeypatch):
    monkeypatch.setattr("wukong.graph.modules._seen", set(sys.modules) - {"their_code"})
    register_user_modules(by_value)
    (page,) = cut(convert({"x": (user_module.work, 1)}, ["x"]))
    script = """
        import sys
        from wukong.graph.payload import load
        from wukong.graph.program import run
        assert "their_code" not in sys.modules
        print(run(load(sys.stdin.buffer.read())[1][0], []))
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], input=page.data, capture_output=True, check=True, cwd="/"
    )
    assert result.stdout == b"6\n"


def test_only_modules_of_the_user_are_sent(user_module):
    import json

    import dask.array

    import wukong.graph.program

    assert is_user_module(user_module)
    for other in (json, dask.array, wukong.graph.program, np, sys, sys.modules["__main__"]):
        assert not is_user_module(other)
    with pytest.raises(ValueError, match="'never_imported', which is not imported"):
        register_user_modules(["never_imported"])


def bag_of_directories():
    bag = db.from_sequence(range(100), npartitions=3)
    return bag.groupby(lambda x: x % 7, shuffle="disk")


def frame_of_directories():
    frame = dd.from_pandas(pd.DataFrame({"x": range(100)}), npartitions=3)
    return frame.shuffle("x", shuffle_method="disk")


@pytest.mark.parametrize("collection", [bag_of_directories, frame_of_directories])
def test_exchange_through_a_directory_is_refused(collection):
    # Executors share no directory: each would find there only what it wrote itself.
    with pytest.raises(InvalidGraph, match=r"^task .*partd-.*because it exchanges values .* a directory.* 'tasks'"):
        collection().compute(scheduler=evaluate)


def test_words_alone_are_not_taken_for_a_directory():
    (page,) = cut(convert({"partd-x": (len, "partd.file File partd")}, ["partd-x"]))
    assert page.count == 1
