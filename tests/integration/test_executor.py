"""Executors on a real Valkey, in threads of the test, with every invocation started (or started twice) by the test.

What Dask's own scheduler returns is what must come back; every task runs once; a purge leaves only the tombstone.
"""

from __future__ import annotations

import gc
import json
import os
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from tests.waiting import until

from wukong.cluster.valkey import ValkeyServer
from wukong.errors import ClusterUnavailable
from wukong.graph.convert import convert
from wukong.graph.page import build_pages
from wukong.graph.payload import cut
from wukong.invocation.event import executor_event
from wukong.kvs.ring import Node, Ring
from wukong.mds import keys
from wukong.mds.records import Record
from wukong.mds.store import JobSpec
from wukong.redis import Connection
from wukong_executor import handler
from wukong_executor.environment import Environment

PASSWORD = "open-sesame"
KEY = "11" * 32


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ValkeyServer(tmp_path_factory.mktemp("valkey"), "store", password=PASSWORD) as server:
        yield server.address


@pytest.fixture
def own_address(tmp_path: Path) -> Iterator[str]:
    """A server whose rings no other test meets."""
    with ValkeyServer(tmp_path, "store", password=PASSWORD) as server:
        yield server.address


class ThreadLambda:
    """Invokes the handler in threads, `deliveries` times per call."""

    def __init__(self, environment: Environment, deliveries: int) -> None:
        self.environment, self.deliveries = environment, deliveries
        self.threads: list[threading.Thread] = []
        self.outcomes: list[Any] = []
        self.events: list[bytes] = []

    def __call__(self, function: str) -> ThreadLambda:
        assert function == "wukong-executor"
        return self

    def post(self, payload: bytes, trace: str = "") -> None:
        self.events.append(payload)
        for _ in range(self.deliveries):
            thread = threading.Thread(target=self._run, args=(json.loads(payload),))
            thread.start()
            self.threads.append(thread)

    def _run(self, event: dict[str, Any]) -> None:
        try:
            self.outcomes.append(handler.handler(event, None)["status"])
        except BaseException as error:
            self.outcomes.append(error)

    def join(self) -> None:
        while self.threads:
            self.threads.pop().join()


class Harness:
    def __init__(self, address: str, beat: float, monkeypatch: pytest.MonkeyPatch, deliveries: int) -> None:
        self.environment = Environment(
            {
                "WUKONG_MDS_ADDRESS": address,
                "WUKONG_STORE_PASSWORD": PASSWORD,
                "WUKONG_SIGNING_KEY": KEY,
                "WUKONG_BEAT_SECONDS": str(beat),
                "WUKONG_LEASE_SECONDS": "10",
            }
        )
        self.ring = Ring(1, (Node("n1", address),))
        self.lambda_ = ThreadLambda(self.environment, deliveries)
        monkeypatch.setattr(handler, "_environment", lambda: self.environment)
        self.environment.__dict__["requests"] = self.lambda_
        self.connection = Connection(address, password=PASSWORD)

    def submit(self, dsk: Any, asked: list[Any], parallelism: int = 4) -> tuple[str, Any]:
        dag = convert(dsk, asked)
        job = os.urandom(6).hex()
        mds, signer = self.environment.mds, self.environment.signer
        payloads = cut(dag)
        values = self.environment.values(self.ring)
        inputs = {
            task: values.store(job, str(task), values.pack(value), "tok", 60) for task, value in dag.inputs.items()
        }
        firsts = [payload.first for payload in payloads]
        bodies = build_pages(dag.dep_offsets, dag.deps, dag.targets, firsts, [p.data for p in payloads], inputs)
        pages = [signer.sign(f"page:{job}:{i}", body) + body for i, body in enumerate(bodies)]
        leaves = [task for task in range(len(dag)) if dag.dep_offsets[task] == dag.dep_offsets[task + 1]]
        spec = JobSpec(len(dag), len(dag.targets), len(pages), firsts, parallelism, self.ring, 60)
        assert mds.submit(job, spec, pages, [Record("0", leaves)], 10) == "running"
        self.lambda_.post(executor_event(job, "0", []))
        return job, dag

    def get(self, dsk: Any, asked: list[Any], parallelism: int = 4) -> tuple[list[Any], Any]:
        job, dag = self.submit(dsk, asked, parallelism)
        mds, values = self.environment.mds, self.environment.values(self.ring)
        self.lambda_.join()
        assert [o for o in self.lambda_.outcomes if isinstance(o, BaseException)] == []
        info = mds.job(job)
        if info.failure is not None:
            raise AssertionError(info.failure.traceback or info.failure.message)
        assert info.state == "done"
        targets = [int(task) for task in dag.targets]
        marks = dict(zip(targets, mds.results(job, targets), strict=True))
        found = {task: values.load(job, str(task), mark) for task, mark in marks.items()}
        result = [found[dag.index[key]] for key in asked]
        mds.purge(job, 60)
        self.environment.kvs(self.ring).purge(job)
        assert self.connection.call("KEYS", f"w:{job}*") == [keys.meta(job).encode()]
        assert 0 < self.connection.call("TTL", keys.meta(job)) <= 60
        return result, info

    def close(self) -> None:
        self.lambda_.join()
        self.connection.close()
        self.environment.mds.close_connections()
        self.environment.kvs(self.ring).close()


@pytest.mark.parametrize("node", ["n1", "n2"], ids=["moved", "another"])
def test_a_job_whose_only_node_is_gone_goes_on_with_the_newest_ring(
    own_address: str, monkeypatch: pytest.MonkeyPatch, node: str
) -> None:
    monkeypatch.setattr("wukong.kvs.nodes.PATIENCE", 0.05)
    harness = Harness(own_address, 0.02, monkeypatch, 1)
    harness.ring = Ring(1, (Node("n1", "127.0.0.1:1"),))  # nothing listens there
    harness.environment.mds.put_ring(Ring(2, (Node(node, own_address),)))
    job, dag = harness.submit({"x": (np.arange, 50_000), "y": (np.negative, "x")}, ["x", "y"])
    harness.lambda_.join()
    assert harness.lambda_.outcomes == ["ended"]
    values = harness.environment.values(harness.ring)
    for key, sign in (("x", 1), ("y", -1)):
        task = dag.index[key]
        [mark] = harness.environment.mds.results(job, [task])
        np.testing.assert_array_equal(values.load(job, str(task), mark), sign * np.arange(50_000))
    with pytest.raises(ClusterUnavailable):  # only after the other node is purged
        values.kvs.purge(job)
    assert harness.connection.call("KEYS", f"w:{job}:v:*") == []
    harness.environment.mds.purge(job, 60)
    harness.close()


@pytest.mark.parametrize("told", [True, False], ids=["told", "a call was not answered"])
def test_what_is_written_for_a_job_that_is_gone_is_removed(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, told: bool
) -> None:
    """The executor hears of the purge only when it reports what it has written, or gives up over that."""
    harness = Harness(address, 60.0, monkeypatch, 1)

    def wait() -> int:
        (tmp_path / "waits").touch()
        until((tmp_path / "go").exists)
        return 300_000

    real, written = Connection.pipeline, []

    def pipeline(self: Connection, commands: Any) -> Any:
        written.extend(command for command in commands if command[0] == "SET")
        return real(self, commands)

    try:
        job, _ = harness.submit({"w": (wait,), "x": (np.ones, "w")}, ["x"])
        until((tmp_path / "waits").exists)
        harness.environment.mds.purge(job, 60)
        harness.environment.kvs(harness.ring).purge(job)
        monkeypatch.setattr(Connection, "pipeline", pipeline)
        if not told:
            monkeypatch.setattr(harness.environment.mds, "sync", unanswered)
        (tmp_path / "go").touch()
        harness.lambda_.join()
        assert [type(outcome) for outcome in harness.lambda_.outcomes] == [str if told else ClusterUnavailable]
        assert written
        assert harness.connection.call("KEYS", f"*{job}*") == [keys.meta(job).encode()]
    finally:
        (tmp_path / "go").touch()
        harness.close()


def unanswered(*_: object) -> None:
    raise ClusterUnavailable("the connection broke")


def test_an_executor_that_fails_when_its_job_is_done_leaves_the_results(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Somebody else took its record over, and did what it fails at."""
    harness = Harness(address, 60.0, monkeypatch, 1)

    def wait() -> None:
        (tmp_path / "waits").touch()
        until((tmp_path / "go").exists)
        raise RuntimeError("only here")

    try:
        job, _ = harness.submit({"w": (wait,)}, ["w"])
        until((tmp_path / "waits").exists)
        harness.connection.call("HSET", keys.meta(job), "state", "done")
        kvs = harness.environment.kvs(harness.ring)
        kvs.put(job, "0", "other", [b"result"], 60.0)
        (tmp_path / "go").touch()
        harness.lambda_.join()
        assert harness.lambda_.outcomes == ["failed"]
        assert kvs.get(job, "0", "other", 6) == b"result"
        harness.environment.mds.purge(job, 60)
        kvs.purge(job)
    finally:
        (tmp_path / "go").touch()
        harness.close()


@pytest.fixture(params=[1, 2], ids=["once", "twice"])
def harness(address: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Harness]:
    harness = Harness(address, 0.01, monkeypatch, request.param)
    yield harness
    harness.close()


def add(*values: int) -> int:
    return sum(values) + 1


def slow(*values: int) -> int:
    time.sleep(0.004)
    return sum(values) + 1


def big(value: int) -> np.ndarray:
    time.sleep(0.004)
    return np.full(20_000, value)


def total(*arrays: np.ndarray) -> np.ndarray:
    return sum(arrays)


def test_a_chain_runs_in_one_executor(harness: Harness) -> None:
    dsk: dict[Any, Any] = {"c0": (add, 1)} | {f"c{i}": (add, f"c{i - 1}") for i in range(1, 1000)}
    result, info = harness.get(dsk, ["c999"])
    assert result == [1001]
    assert info.counters.tasks_run == 1000
    assert info.counters.executors == 1


def test_wide_work_spreads_and_runs_once(harness: Harness) -> None:
    dsk: dict[Any, Any] = {("leaf", i): (slow, i) for i in range(60)}
    dsk["sum"] = (add, *[("leaf", i) for i in range(60)])
    result, info = harness.get(dsk, ["sum"])
    assert result == [dask.get(dsk, "sum")]
    assert info.counters.tasks_run == 61
    assert info.counters.executors > 1


def test_large_values_cross_executors(harness: Harness) -> None:
    dsk: dict[Any, Any] = {("leaf", i): (big, i) for i in range(32)}
    level = [("leaf", i) for i in range(32)]
    for depth in range(5):
        pairs = [(level[i], level[i + 1]) for i in range(0, len(level), 2)]
        level = [("node", depth, i) for i in range(len(pairs))]
        dsk.update((key, (total, *pair)) for key, pair in zip(level, pairs, strict=True))
    result, info = harness.get(dsk, level)
    np.testing.assert_array_equal(result[0], dask.get(dsk, level[0]))
    assert info.counters.tasks_run == 63


def test_all_to_all(harness: Harness) -> None:
    dsk: dict[Any, Any] = {("a", i): (big, i) for i in range(20)}
    dsk |= {("b", i): (total, *[("a", j) for j in range(20)]) for i in range(20)}
    asked = [("b", i) for i in range(20)]
    result, info = harness.get(dsk, asked)
    expected = dask.get(dsk, asked)
    for left, right in zip(result, expected, strict=True):
        np.testing.assert_array_equal(left, right)
    assert info.counters.tasks_run == 40
    assert Counter(harness.lambda_.outcomes)["ended"] == info.counters.executors


MB = 1 << 20


@pytest.fixture
def traced() -> Iterator[None]:
    """Memory is traced, and only reference counts free it: a cycle would keep values in a warm environment."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    yield
    tracemalloc.stop()
    gc.enable()


def block(value: Any = None) -> np.ndarray:
    time.sleep(0.005)  # some beats pass meanwhile
    return np.ones(MB) if value is None else value + 1


def as_number(*blocks: np.ndarray) -> float:
    return float(sum(each[0] for each in blocks))


def fail_on(_: np.ndarray) -> None:
    raise ValueError("no")


def peak_megabytes(harness: Harness, dsk: dict[Any, Any], asked: str, expected: float) -> float:
    harness.get({"a": (abs, -1)}, ["a"])  # what is imported and connected once
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    result, _ = harness.get(dsk, [asked], parallelism=1)
    after, peak = tracemalloc.get_traced_memory()
    assert result == [expected]
    assert after - before < MB, "something keeps values after the end"
    return (peak - before) / MB


@pytest.mark.parametrize("harness", [1], indirect=True)
def test_a_chain_of_large_arrays_holds_two_at_once(harness: Harness, traced: None) -> None:
    dsk: dict[Any, Any] = {"c0": (block,)} | {f"c{i}": (block, f"c{i - 1}") for i in range(1, 16)}
    dsk["n"] = (as_number, "c15")
    assert 16 <= peak_megabytes(harness, dsk, "n", 16.0) < 18


@pytest.mark.parametrize("harness", [1], indirect=True)
def test_a_tree_of_large_arrays_holds_a_path_at_once(harness: Harness, traced: None) -> None:
    dsk: dict[Any, Any] = {("l", 0, i): (block,) for i in range(16)}
    for level in range(1, 5):
        dsk |= {("l", level, i): (total, *[("l", level - 1, 2 * i + j) for j in (0, 1)]) for i in range(16 >> level)}
    dsk["n"] = (as_number, ("l", 4, 0))
    # One waits on each of three levels, and the newest fan-in has two inputs, a partial sum and its result.
    assert peak_megabytes(harness, dsk, "n", 16.0) < 8 * 7.5


@pytest.mark.parametrize("harness", [1], indirect=True)
def test_a_task_that_fails_on_a_large_array_leaves_nothing(harness: Harness, traced: None) -> None:
    harness.get({"a": (abs, -1)}, ["a"])
    before, _ = tracemalloc.get_traced_memory()
    with pytest.raises(AssertionError, match="ValueError: no"):
        harness.get({"a": (block,), "b": (fail_on, "a")}, ["b"])
    assert tracemalloc.get_traced_memory()[0] - before < MB


def hold(folder: str) -> int:
    """Runs until the folder has a file "go", and tells that it runs."""
    Path(folder, os.urandom(4).hex()).touch()
    while not Path(folder, "go").exists():
        time.sleep(0.01)
    return 1


@pytest.mark.parametrize("harness", [1], indirect=True)
def test_a_holder_that_was_silent_for_a_lease_is_succeeded_and_does_no_harm(harness: Harness, tmp_path: Path) -> None:
    """Its beats are as rare as that; both then run on at once, and only one of them may say anything."""
    harness.environment.beat_seconds, harness.environment.lease_seconds = 60, 0.05

    def succeed() -> None:
        deadline = time.monotonic() + 20
        while not list(tmp_path.iterdir()):
            assert time.monotonic() < deadline
        while len(list(tmp_path.iterdir())) < 2:  # refused as long as the lease lasts
            assert time.monotonic() < deadline
            harness.lambda_.post(harness.lambda_.events[0])
            harness.lambda_.threads[-1].join(0.1)
        (tmp_path / "go").touch()

    thread = threading.Thread(target=succeed)
    thread.start()
    dsk: dict[Any, Any] = {"a": (hold, str(tmp_path))} | {("b", i): (add, "a", i) for i in range(50)}
    dsk["n"] = (add, *[("b", i) for i in range(50)])
    result, info = harness.get(dsk, ["n"])
    thread.join()
    assert result == [sum(i + 2 for i in range(50)) + 1]
    assert info.counters.executors == 2
    assert info.counters.tasks_run == 52  # what the one without a lease ran is not counted
