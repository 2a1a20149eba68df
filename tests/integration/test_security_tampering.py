"""Whoever can write to a store, and has not the cluster's key, gets nothing unpickled: not one byte, not one swap.

Executors run in the test's own threads on a real store; the test writes there what an attacker would. Each attack has
a pickle that leaves a trace, and there must be none. Attacks on the streams of clients and executors, and on what
clients read, follow. docs/security.md lists them all.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

from wukong import Client, LocalCluster
from wukong.client.results import read
from wukong.cluster.valkey import ValkeyServer
from wukong.errors import TaskError, ValueRefused
from wukong.graph.convert import convert
from wukong.graph.page import Page, build_pages
from wukong.graph.payload import cut
from wukong.invocation.event import executor_event
from wukong.kvs.ring import Node, Ring
from wukong.mds import keys
from wukong.mds.failure import Failure
from wukong.mds.records import Record, pack_inputs
from wukong.mds.store import Arrival, JobSpec, Status, Sync
from wukong.redis import Connection
from wukong.rpc.v1 import job_pb2
from wukong.values import codec
from wukong.values.manifest import Manifest
from wukong.values.mark import pickle_mark, split_manifest_mark
from wukong.values.signing import SIZE, Signer
from wukong.values.values import Values
from wukong_executor import handler
from wukong_executor.environment import Environment

PASSWORD = "open-sesame"
KEY = "11" * 32
STRANGER = Signer(b"not the cluster's key")
MINUTE = 60.0


class Evil:
    """Whoever unpickles it leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self._trace = str(trace)

    def __reduce__(self) -> Any:
        return os.mkdir, (self._trace,)


@pytest.fixture
def trace(tmp_path: Path) -> Iterator[Path]:
    """What an unpickled `Evil` makes; nobody may have unpickled it when the test ends."""
    path = tmp_path / "unpickled"
    yield path
    assert not path.exists()


def test_the_trace_is_left_by_who_unpickles_it(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Evil(tmp_path / "unpickled")))
    assert (tmp_path / "unpickled").exists()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ValkeyServer(tmp_path_factory.mktemp("valkey"), "store", password=PASSWORD) as server:
        yield server.address


def three() -> list[int]:
    return [1, 2, 3]


def total(*values: Any) -> int:
    return sum(map(len, values))


#: Two leaves and their fan-in, a page each: tasks 0, 1, 2.
GRAPH: dict[Any, Any] = {"a": (three,), "b": (three,), "c": (total, "a", "b")}


class Job:
    """One job in the store, whose executor runs when told to."""

    def __init__(self, address: str) -> None:
        self.environment = Environment(
            {
                "WUKONG_MDS_ADDRESS": address,
                "WUKONG_STORE_PASSWORD": PASSWORD,
                "WUKONG_SIGNING_KEY": KEY,
                "WUKONG_BEAT_SECONDS": "0.01",
                "WUKONG_LEASE_SECONDS": "10",
            }
        )
        self.environment.__dict__["requests"] = lambda function: self
        self.mds, self.signer = self.environment.mds, self.environment.signer
        self.ring = Ring(1, (Node("n1", address),))
        self.values = Values(self.environment.kvs(self.ring), self.signer)
        self.redis = Connection(address, password=PASSWORD)
        self.name = os.urandom(6).hex()
        self._threads: list[threading.Thread] = []

    def write(self, records: Sequence[Record], inputs: dict[int, bytes] | None = None) -> None:
        """The job as the scheduler writes it, a page for each task."""
        dag = convert(GRAPH, ["c"])
        (whole,) = cut(dag)
        names, programs, *_ = pickle.loads(whole.data[1:])
        uploaded = inputs or {}
        parts = [([names[task]], [None if task in uploaded else programs[task]]) for task in range(3)]
        payloads = [b"P" + cloudpickle.dumps(part) for part in parts]
        bodies = build_pages(dag.dep_offsets, dag.deps, dag.targets, [0, 1, 2], payloads, uploaded)
        pages = [self.signer.sign(f"page:{self.name}:{i}", body) + body for i, body in enumerate(bodies)]
        spec = JobSpec(3, 1, 3, [0, 1, 2], 4, self.ring, 60)
        assert self.mds.submit(self.name, spec, pages, records, 10) == "running"

    def post(self, payload: bytes, trace: str = "") -> None:
        thread = threading.Thread(target=handler.handler, args=(json.loads(payload), None))
        thread.start()
        self._threads.append(thread)

    def run(self, record: str = "0") -> Failure | None:
        """What the job failed with when its executor has ended; None if it is done."""
        self.post(executor_event(self.name, record, []))
        while self._threads:
            self._threads.pop().join()
        info = self.mds.job(self.name)
        assert info is not None
        assert info.state == ("failed" if info.failure else "done")
        return info.failure

    def page(self, index: int) -> bytearray:
        found = self.redis.call("GET", keys.page(self.name, index))
        assert isinstance(found, bytes)
        return bytearray(found)

    def put_page(self, index: int, data: bytes | bytearray) -> None:
        self.redis.call("SET", keys.page(self.name, index), bytes(data))

    def close(self) -> None:
        self.redis.close()
        self.mds.close_connections()
        self.environment.kvs(self.ring).close()


@pytest.fixture
def make(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Job]]:
    jobs: list[Job] = []

    def job() -> Job:
        jobs.append(Job(address))
        monkeypatch.setattr(handler, "_environment", lambda: jobs[-1].environment)
        return jobs[-1]

    yield job
    for one in jobs:
        one.close()


def refused(failure: Failure | None, *words: str) -> None:
    assert failure is not None
    assert failure.error == "ValueRefused", failure
    for word in words:
        assert word in failure.message


def test_a_job_that_nobody_tampers_with_is_done(make: Callable[[], Job]) -> None:
    job = make()
    job.write([Record("0", [0, 1])])
    assert job.run() is None
    assert job.mds.results(job.name, [2]) == [b"I6"]


def evil_page(job: Job, trace: Path) -> bytes:
    """The body of page 0 with another pickle in it."""
    page = Page.decode(memoryview(job.page(0))[SIZE:])
    payload = b"P" + pickle.dumps(Evil(trace))
    (body,) = build_pages(np.array([0, 0], "u4"), np.array([], "u4"), np.array([0], "u4"), [0], [payload], {})
    assert page.first == 0
    return body


class TestPages:
    def test_one_that_nobody_signed(self, make: Callable[[], Job], trace: Path) -> None:
        job = make()
        job.write([Record("0", [0, 1])])
        job.put_page(0, bytes(SIZE) + evil_page(job, trace))
        refused(job.run(), f"page:{job.name}:0", "not unpickled")

    def test_one_that_a_stranger_signed(self, make: Callable[[], Job], trace: Path) -> None:
        job = make()
        job.write([Record("0", [0, 1])])
        body = evil_page(job, trace)
        job.put_page(0, STRANGER.sign(f"page:{job.name}:0", body) + body)
        refused(job.run(), "not unpickled")

    def test_one_under_the_signature_of_another(self, make: Callable[[], Job], trace: Path) -> None:
        job = make()
        job.write([Record("0", [0, 1])])
        job.put_page(0, job.page(0)[:SIZE] + evil_page(job, trace))
        refused(job.run(), "not unpickled")

    @pytest.mark.parametrize("place", ["signature", "head", "pickle", "end"])
    def test_one_byte_of_it(self, make: Callable[[], Job], place: str) -> None:
        job = make()
        job.write([Record("0", [0, 1])])
        data = job.page(0)
        at = {"signature": 3, "head": SIZE + 1, "pickle": data.index(b"three") + 2, "end": len(data) - 1}[place]
        data[at] ^= 1
        job.put_page(0, data)
        refused(job.run(), "not unpickled")

    def test_two_of_one_job_in_each_others_place(self, make: Callable[[], Job]) -> None:
        job = make()
        job.write([Record("0", [0, 1])])
        first, second = job.page(0), job.page(1)
        job.put_page(0, second)
        job.put_page(1, first)
        refused(job.run(), f"page:{job.name}:")

    def test_that_of_another_job(self, make: Callable[[], Job]) -> None:
        other, job = make(), make()
        other.write([Record("0", [0, 1])])
        job.write([Record("0", [0, 1])])
        job.put_page(0, other.page(0))
        refused(job.run(), f"page:{job.name}:0")


def forged(job: Job, value: object) -> bytes:
    """An inline mark that nobody signed."""
    return pickle_mark(bytes(SIZE), codec.pack(value))


def changed(mark: bytes) -> bytes:
    """The mark with one byte of its pickle changed."""
    at = len(mark) - 2
    return mark[:at] + bytes([mark[at] ^ 1]) + mark[at + 1 :]


#: What stands in the place of the mark of task 1's value, [1, 2, 3].
MARKS: dict[str, Callable[[Job, Job, Path], bytes]] = {
    "unsigned": lambda job, other, trace: forged(job, Evil(trace)),
    "a stranger's": lambda job, other, trace: Values(job.values.kvs, STRANGER).inline(
        job.name, "1", codec.pack(Evil(trace))
    ),
    "one byte": lambda job, other, trace: changed(job.values.inline(job.name, "1", codec.pack([1, 2, 3]))),
    "another task's": lambda job, other, trace: job.values.inline(job.name, "0", codec.pack([1, 2, 3])),
    "another job's": lambda job, other, trace: job.values.inline(other.name, "1", codec.pack([1, 2, 3])),
    "another job's in the KVS": lambda job, other, trace: job.values.store(
        other.name, "1", codec.pack([str(n) for n in range(5000)]), "t", MINUTE
    ),
    "another task's in the KVS": lambda job, other, trace: job.values.store(
        job.name, "0", codec.pack([str(n) for n in range(5000)]), "t", MINUTE
    ),
    "a stranger's in the KVS": lambda job, other, trace: Values(job.values.kvs, STRANGER).store(
        job.name, "1", codec.pack([Evil(trace), *map(str, range(5000))]), "t", MINUTE
    ),
    "a bundle of a stranger's": lambda job, other, trace: Values(job.values.kvs, STRANGER).store_apart(
        job.name, "1", codec.pack(Evil(trace)), "t", MINUTE
    ),
    "no mark": lambda job, other, trace: b"P" + pickle.dumps(Evil(trace)),
    "a bare pickle": lambda job, other, trace: pickle.dumps(Evil(trace)),
}


@pytest.mark.parametrize("attack", MARKS)
class TestMarks:
    def test_in_a_fan_in(self, make: Callable[[], Job], trace: Path, attack: str) -> None:
        other, job = make(), make()
        job.write([Record("0", [0]), Record("1", [1])])
        begun = job.mds.begin(job.name, "1", "holder", 10.0)
        mark = MARKS[attack](job, other, trace)
        synced = job.mds.sync(
            job.name, "1", "holder", begun.generation, 10.0, Sync(arrivals=[Arrival(2, 2, [(1, mark)])], end=True)
        )
        assert synced.status is Status.OK
        refused(job.run())

    def test_in_a_record(self, make: Callable[[], Job], trace: Path, attack: str) -> None:
        other, job = make(), make()
        job.write([Record("0", [2])])
        good = job.values.inline(job.name, "0", codec.pack([1, 2, 3]))
        inputs = pack_inputs([(0, good), (1, MARKS[attack](job, other, trace))])
        job.redis.call("HSET", keys.record(job.name, "0"), "inputs", inputs)
        refused(job.run())

    def test_of_an_upload(self, make: Callable[[], Job], trace: Path, attack: str) -> None:
        """The scheduler writes into a signed page whatever mark the store has for an upload."""
        other, job = make(), make()
        job.write([Record("0", [0, 1])], {1: MARKS[attack](job, other, trace)})
        refused(job.run())


def test_a_stripe_with_another_pickle_is_refused(make: Callable[[], Job], trace: Path) -> None:
    job = make()
    job.write([Record("0", [2])])
    packed = codec.pack([str(number) for number in range(5000)])
    mark = job.values.store(job.name, "1", packed, "t", MINUTE)
    manifest = Manifest.decode(split_manifest_mark(mark)[1])
    assert manifest.pickle is None  # it is in the KVS
    stripes = job.redis.call("KEYS", f"w:{job.name}:v:1:*")
    assert isinstance(stripes, list)
    (key,) = [stripe for stripe in stripes if isinstance(stripe, bytes)]
    job.redis.call("SETRANGE", key, 0, pickle.dumps(Evil(trace)))
    inputs = [(0, job.values.inline(job.name, "0", codec.pack([1]))), (1, mark)]
    job.redis.call("HSET", keys.record(job.name, "0"), "inputs", pack_inputs(inputs))
    refused(job.run(), "was changed in the KVS", "not unpickled")


def test_two_values_in_each_others_stripes_are_refused(make: Callable[[], Job]) -> None:
    job = make()
    job.write([Record("0", [2])])
    marks = [
        job.values.store(job.name, str(task), codec.pack([f"{task} {n:05d}" for n in range(5000)]), "t", MINUTE)
        for task in (0, 1)
    ]
    names = [f"w:{job.name}:v:{task}:t:0" for task in (0, 1)]
    first, second = job.redis.call("MGET", *names)  # type: ignore[misc]
    assert isinstance(first, bytes)
    assert isinstance(second, bytes)
    assert len(first) == len(second)
    job.redis.call("MSET", names[0], second, names[1], first)
    job.redis.call("HSET", keys.record(job.name, "0"), "inputs", pack_inputs(list(enumerate(marks))))
    refused(job.run(), "was changed in the KVS")


def test_the_stream_of_a_wide_fan_out(make: Callable[[], Job], trace: Path) -> None:
    """The proxy writes what arrives; who reads it finds that it is not what its mark says."""
    job = make()
    job.write([Record("0", [2])])
    mark, stream = job.values.announce(job.name, "1", codec.pack([str(n) for n in range(5000)]), "t")
    sent = bytearray(b"".join(stream))
    evil = pickle.dumps(Evil(trace))
    sent[: len(evil)] = evil
    writer = job.values.kvs.writer(*job.values.place(job.name, "1", mark), MINUTE)
    writer.write(sent)
    writer.close()
    inputs = [(0, job.values.inline(job.name, "0", codec.pack([1]))), (1, mark)]
    job.redis.call("HSET", keys.record(job.name, "0"), "inputs", pack_inputs(inputs))
    refused(job.run(), "was changed in the KVS")


@contextlib.contextmanager
def administrator(cluster: LocalCluster) -> Iterator[Connection]:
    """The metadata store of a cluster, for whoever may do anything there."""
    with Client(cluster) as client:
        direct = client._connection.cluster.direct
    user, password = cluster.administrator
    with contextlib.closing(Connection(direct.mds_address, user=user, password=password)) as redis:
        yield redis


class TestClients:
    """What a client that reaches the stores unpickles: results, and the exceptions of tasks."""

    @pytest.mark.parametrize("attack", ["unsigned", "a stranger's", "another job's"])
    def test_a_result(self, cluster: LocalCluster, client: Client, trace: Path, attack: str) -> None:
        job = client.submit_graph({"x": (three,)}, "x")
        job.wait()
        stores = client._session.stores
        assert stores is not None
        packed = codec.pack(Evil(trace))
        marks = {
            "unsigned": lambda: pickle_mark(bytes(SIZE), packed),
            "a stranger's": lambda: Values(stores.values.kvs, STRANGER).inline(job.id, "0", packed),
            "another job's": lambda: stores.values.inline("other", "0", codec.pack([1, 2, 3])),
        }
        with administrator(cluster) as redis:
            redis.call("HSET", keys.sinks(job.id), "0", marks[attack]())
        answer = client._connection.call(client._connection.scheduler.GetJob, job_pb2.JobRef(job_id=job.id))
        for way in (stores, None):  # itself, and by way of the proxy, which verifies what it sends
            if way is None:
                answer.results[0].ClearField("mark")
            with pytest.raises(ValueRefused, match="signature"):
                read(job.id, answer.results, client._connection, way)
        job.release()

    def test_the_exception_of_a_task(self, cluster: LocalCluster, client: Client, trace: Path) -> None:
        def fail() -> None:
            raise KeyError("mine")

        job = client.submit_graph({"x": (fail,)}, "x")
        job.wait()
        with administrator(cluster) as redis:
            text = redis.call("HGET", keys.meta(job.id), "error")
            assert isinstance(text, bytes)
            failure = Failure.from_json(text)
            evil = Failure(
                "TaskError", "x", 0, "x", 1, "builtins.KeyError", "", bytes(SIZE) + pickle.dumps(Evil(trace))
            )
            redis.call("HSET", keys.meta(job.id), "error", evil.to_json())
        assert failure.type_name == "builtins.KeyError"
        with Client(cluster) as another, pytest.raises(TaskError):
            another.job(job.id).result()
        job.release()
