"""The proxy and the nodes' agents as they run: real gRPC, real stores."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest

import wukong_kvs_node.server
import wukong_kvs_proxy.server
from wukong.cluster.valkey import ValkeyServer
from wukong.errors import AccessDenied, ClusterUnavailable, UnknownJob, ValueRefused, WukongError
from wukong.kvs.redis import RedisKvs
from wukong.kvs.ring import Node, Ring
from wukong.mds import keys
from wukong.mds.records import Record
from wukong.mds.redis import RedisMds
from wukong.mds.store import JobSpec, Status, Sync
from wukong.redis import Pool
from wukong.rpc.channel import channel
from wukong.rpc.content import content_hash
from wukong.rpc.service import Service
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import (
    data_pb2,
    data_pb2_grpc,
    node_pb2,
    node_pb2_grpc,
    ring_pb2,
    ring_pb2_grpc,
    value_pb2,
)
from wukong.values import codec
from wukong.values.codec import Packed
from wukong.values.manifest import Manifest
from wukong.values.mark import json_mark, split_manifest_mark
from wukong.values.signing import Signer
from wukong.values.values import Values

PASSWORD = "of-the-stores"
TOKEN = "the-token"
KEY = bytes(range(32))
MIB = 1024 * 1024
STORES = ("mds", "kvs-0", "kvs-1")


class Loop:
    """An event loop in a thread, in which services live while the test calls them synchronously."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def do(self, work: Awaitable[Service] | Awaitable[None]) -> Service:
        async def whole() -> object:
            return await work

        result: Future[object] = asyncio.run_coroutine_threadsafe(whole(), self._loop)
        return result.result(timeout=30)  # type: ignore[return-value]

    def close(self) -> None:
        self.do(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Stage:
    """A proxy and its nodes over real stores, and what a test needs to look at them."""

    def __init__(self, loop: Loop, stores: Mapping[str, str]) -> None:
        self.loop = loop
        self.stores = stores
        self.mds = RedisMds(stores["mds"], password=PASSWORD)
        self.signer = Signer(KEY)
        self.nodes: dict[str, Service] = {}
        self.environ = {
            "WUKONG_TOKEN": TOKEN,
            "WUKONG_STORE_PASSWORD": PASSWORD,
            "WUKONG_SIGNING_KEY": KEY.hex(),
            "WUKONG_MDS_ADDRESS": stores["mds"],
        }
        self.start_proxy("127.0.0.1:0")
        for name in ("kvs-0", "kvs-1"):
            self.start_node(name)

    def start_proxy(self, listen: str) -> None:
        self.proxy = self.loop.do(wukong_kvs_proxy.server.serve({**self.environ, "WUKONG_LISTEN": listen}))
        self.channel = channel(self.proxy.address, TOKEN)
        self.ring = ring_pb2_grpc.RingStub(self.channel)
        self.data = data_pb2_grpc.DataStub(self.channel)

    def stop_proxy(self) -> None:
        self.channel.close()
        self.loop.do(self.proxy.close())

    def start_node(self, name: str) -> None:
        environ = {
            **self.environ,
            "WUKONG_NODE_ID": name,
            "WUKONG_NODE_REDIS_ADDRESS": self.stores[name],
            "WUKONG_PROXY_ADDRESS": self.proxy.address,
        }
        self.nodes[name] = self.loop.do(wukong_kvs_node.server.serve(environ))

    def close(self) -> None:
        for node in self.nodes.values():
            self.loop.do(node.close())
        self.stop_proxy()
        self.mds.close_connections()

    def newest(self) -> Ring:
        ring = self.mds.newest_ring()
        assert ring is not None
        return ring

    @contextlib.contextmanager
    def values(self) -> Iterator[Values]:
        kvs = RedisKvs(self.newest(), password=PASSWORD)
        yield Values(kvs, self.signer)
        kvs.close()

    def stored(self) -> list[str]:
        """All keys of the key-value store."""
        found: list[str] = []
        for name in ("kvs-0", "kvs-1"):
            found += [key.decode() for key in self.redis(name, "KEYS", "*")]
        return found

    def redis(self, store: str, *command: str | bytes | int) -> Any:
        pool = Pool(self.stores[store], password=PASSWORD)
        with contextlib.closing(pool), pool.connection() as redis:
            return redis.call(*command)

    def finish(self, job: str, results: Mapping[int, bytes]) -> None:
        """A job that ends with these marks."""
        spec = JobSpec(
            tasks=max(results) + 1,
            sinks=len(results),
            pages=1,
            first_tasks=[0],
            parallelism=1,
            ring=self.newest(),
            seconds=600,
        )
        self.mds.submit(job, spec, [b"page"], [Record("r", [0])], 60.0)
        begun = self.mds.begin(job, "r", "holder", 60.0)
        sync = Sync(results=list(results.items()), end=True)
        assert self.mds.sync(job, "r", "holder", begun.generation, 60.0, sync).status is Status.OK

    def put(self, job: str, packed: Packed, **other: Any) -> value_pb2.ValueRef:
        with wukong_errors(self.proxy.address):
            return self.data.PutValue(upload(job, packed, **other))

    def result(self, job: str, task: int, offset: int = 0) -> tuple[list[data_pb2.ResultChunk], bytes]:
        request = data_pb2.GetResultRequest(job_id=job, task=task, offset=offset)
        with wukong_errors(self.proxy.address):
            chunks = list(self.data.GetResult(request))
        return chunks, b"".join(chunk.data for chunk in chunks)

    def fetch(self, job: str, task: int) -> object:
        """The value of a target, as a client puts it together."""
        chunks, data = self.result(job, task)
        layout = chunks[0].layout
        assert chunks[0].total == len(data)
        view, buffers = memoryview(data), []
        start = layout.pickle_length
        for length in layout.buffer_lengths:
            buffers.append(view[start : start + length])
            start += length
        return codec.unpack(view[: layout.pickle_length], buffers)


def upload(
    job: str, packed: Packed, *, name: str = "", piece: int = MIB, data: bytes | None = None
) -> Iterator[data_pb2.PutValueRequest]:
    layout = value_pb2.ValueLayout(
        pickle_length=len(packed.pickle), buffer_lengths=[len(buffer) for buffer in packed.buffers]
    )
    name = name or content_hash(packed.pickle, packed.buffers)
    yield data_pb2.PutValueRequest(header=data_pb2.PutValueHeader(job_id=job, hash=name, layout=layout))
    value = b"".join([packed.pickle, *packed.buffers]) if data is None else data
    for start in range(0, len(value), piece):
        yield data_pb2.PutValueRequest(data=value[start : start + piece])


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("stores")
    with contextlib.ExitStack() as stack:
        servers = {name: ValkeyServer(folder, name, password=PASSWORD) for name in STORES}
        yield {name: stack.enter_context(server).address for name, server in servers.items()}


@pytest.fixture
def stage(stores: dict[str, str]) -> Iterator[Stage]:
    loop = Loop()
    try:
        with contextlib.closing(Stage(loop, stores)) as stage:
            for name in STORES:
                if name != "mds":
                    stage.redis(name, "FLUSHALL")
            yield stage
            stage.redis("mds", "FLUSHALL")
    finally:
        loop.close()


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        pause.wait(0.01)


def same(found: object, expected: object) -> bool:
    if isinstance(expected, list) and isinstance(expected[0], np.ndarray):
        return isinstance(found, list) and all(map(same, found, expected))
    if isinstance(expected, np.ndarray):
        return isinstance(found, np.ndarray) and np.array_equal(found, expected)
    return found == expected


# The ring.


def test_nodes_are_in_the_ring_when_they_have_started(stage: Stage) -> None:
    expected = Ring(2, (Node("kvs-0", stage.stores["kvs-0"]), Node("kvs-1", stage.stores["kvs-1"])))
    assert stage.newest() == expected
    answer = stage.ring.GetRing(ring_pb2.GetRingRequest())
    assert answer.version == 2
    assert [(node.id, node.address, node.agent_address) for node in answer.nodes] == [
        (name, stage.stores[name], stage.nodes[name].address) for name in ("kvs-0", "kvs-1")
    ]


def test_older_versions_of_the_ring_can_be_asked_for(stage: Stage) -> None:
    answer = stage.ring.GetRing(ring_pb2.GetRingRequest(version=1))
    assert [node.id for node in answer.nodes] == ["kvs-0"]
    with pytest.raises(ClusterUnavailable, match="ring 99"), wukong_errors("proxy"):
        stage.ring.GetRing(ring_pb2.GetRingRequest(version=99))


def test_the_ring_survives_a_restart_of_the_proxy_and_the_nodes_come_back(stage: Stage) -> None:
    address = stage.proxy.address
    stage.stop_proxy()
    stage.start_proxy(address)
    answer = stage.ring.GetRing(ring_pb2.GetRingRequest())
    assert answer.version == 2
    assert [node.id for node in answer.nodes] == ["kvs-0", "kvs-1"]

    def agents() -> list[str]:
        return [node.agent_address for node in stage.ring.GetRing(ring_pb2.GetRingRequest()).nodes]

    until(lambda: agents() == [stage.nodes[name].address for name in ("kvs-0", "kvs-1")])
    assert stage.newest().version == 2


def test_a_node_that_registers_without_all_addresses_is_refused(stage: Stage) -> None:
    with pytest.raises(WukongError, match="one is missing"), wukong_errors("proxy"):
        stage.ring.Register(ring_pb2.RegisterRequest(node=ring_pb2.KvsNode(id="x", address="h:1")))
    assert stage.newest().version == 2


def test_a_node_with_another_token_does_not_start(stage: Stage) -> None:
    stage.environ["WUKONG_TOKEN"] = "another"
    with pytest.raises(AccessDenied):
        stage.start_node("kvs-0")


def test_before_any_node_there_is_no_ring(stores: dict[str, str]) -> None:
    loop = Loop()
    environ = {
        "WUKONG_TOKEN": TOKEN,
        "WUKONG_STORE_PASSWORD": PASSWORD,
        "WUKONG_SIGNING_KEY": KEY.hex(),
        "WUKONG_MDS_ADDRESS": stores["mds"],
    }
    proxy = loop.do(wukong_kvs_proxy.server.serve(environ))
    try:
        with (
            channel(proxy.address, TOKEN) as opened,
            pytest.raises(ClusterUnavailable, match="no node") as raised,
            wukong_errors(proxy.address),
        ):
            ring_pb2_grpc.RingStub(opened).GetRing(ring_pb2.GetRingRequest())
        assert raised.value.retryable
    finally:
        loop.do(proxy.close())
        loop.close()


def test_a_proxy_without_its_metadata_store_does_not_start(stores: dict[str, str]) -> None:
    loop = Loop()
    environ = {
        "WUKONG_TOKEN": TOKEN,
        "WUKONG_STORE_PASSWORD": PASSWORD,
        "WUKONG_SIGNING_KEY": KEY.hex(),
        "WUKONG_MDS_ADDRESS": "127.0.0.1:1",
    }
    try:
        with pytest.raises(ClusterUnavailable, match=r"127\.0\.0\.1:1"):
            loop.do(wukong_kvs_proxy.server.serve(environ))
    finally:
        loop.close()


# The nodes' agents.


@pytest.fixture
def agent(stage: Stage) -> Iterator[node_pb2_grpc.NodeStub]:
    with channel(stage.nodes["kvs-0"].address, TOKEN) as opened:
        yield node_pb2_grpc.NodeStub(opened)


def test_stats_tell_what_the_node_holds(stage: Stage, agent: node_pb2_grpc.NodeStub) -> None:
    before = agent.Stats(node_pb2.StatsRequest())
    stage.redis("kvs-0", "SET", "k", b"x" * MIB)
    after = agent.Stats(node_pb2.StatsRequest())
    assert (before.node_id, before.keys, after.keys) == ("kvs-0", 0, 1)
    assert after.used_bytes > before.used_bytes + MIB
    assert after.bytes_received > before.bytes_received + MIB
    assert after.bytes_sent > 0
    assert (after.max_bytes, after.evicted_keys) == (0, 0)


def test_a_purge_removes_one_owner_from_one_node(stage: Stage, agent: node_pb2_grpc.NodeStub) -> None:
    value = np.zeros(100 * 1000)
    with stage.values() as values:
        for number in range(20):
            values.store("job-a", str(number), codec.pack(value), "t", 60.0)
        values.store("job-b", "0", codec.pack(value), "t", 60.0)

    def held(store: str, owner: str) -> int:
        return len(stage.redis(store, "KEYS", f"w:{owner}:v:*"))

    here, there = held("kvs-0", "job-a"), held("kvs-1", "job-a")
    others = held("kvs-0", "job-b") + held("kvs-1", "job-b")
    assert here > 0
    assert there > 0
    assert agent.PurgeJob(node_pb2.PurgeJobRequest(owner="job-a")).keys == here
    assert (held("kvs-0", "job-a"), held("kvs-1", "job-a")) == (0, there)
    assert held("kvs-0", "job-b") + held("kvs-1", "job-b") == others
    assert agent.PurgeJob(node_pb2.PurgeJobRequest(owner="job-a")).keys == 0


# Uploads.

VALUES: dict[str, object] = {
    "array": np.arange(300_000, dtype=np.float64),
    "several stripes": np.random.default_rng(1).integers(0, 256, 20 * MIB, dtype=np.uint8),
    "large pickle": [f"text {number}" for number in range(100_000)],
    "many buffers": [np.full(1000, number) for number in range(50)],
    "small": {"a": 1},
}


@pytest.mark.parametrize("name", VALUES)
def test_an_uploaded_value_is_what_executors_load(stage: Stage, name: str) -> None:
    packed = codec.pack(VALUES[name])
    ref = stage.put("j", packed)
    assert not ref.known
    assert ref.hash == content_hash(packed.pickle, packed.buffers)
    with stage.values() as values:
        loaded = values.load("j", "7", ref.mark)
    assert same(loaded, VALUES[name])
    assert stage.mds.hold_input(ref.hash, "other", 3600.0) == ref.mark


def test_a_known_value_is_answered_before_it_is_sent(stage: Stage) -> None:
    packed = codec.pack(np.arange(100_000))
    first = stage.put("j", packed)
    sent = 0

    def requests() -> Iterator[data_pb2.PutValueRequest]:
        nonlocal sent
        for request in upload("k", packed, piece=10):
            sent += 1
            yield request

    with wukong_errors(stage.proxy.address):
        again = stage.data.PutValue(requests())
    assert again.known
    assert (again.hash, again.mark) == (first.hash, first.mark)
    assert sent < 79_000  # of 80,000: the answer did not wait for the end
    assert set(stage.mds.drop_inputs("j")) == set()
    (owner,) = stage.mds.drop_inputs("k")
    assert owner.startswith(f"in:{first.hash}:")
    assert {key.split(":v:")[0] for key in stage.stored() if ":v:" in key} == {f"w:{owner}"}


def test_the_same_value_at_once_is_taken_once(stage: Stage) -> None:
    packed = codec.pack(np.random.default_rng(2).random(3 * MIB))
    with ThreadPoolExecutor(4) as threads:
        refs = list(threads.map(lambda number: stage.put(f"j-{number}", packed), range(4)))
    assert sorted(ref.known for ref in refs) == [False, True, True, True]
    assert len({ref.mark for ref in refs}) == 1
    assert len([key for key in stage.stored() if ":v:" in key]) == 2  # the stripes of 24 MiB


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "0" * 64}, "has the hash"),
        ({"data": b"short"}, "fewer bytes"),
        ({"data": b"x" * (40 * MIB)}, "more bytes"),
    ],
)
def test_a_value_that_is_not_as_announced_leaves_nothing(stage: Stage, change: dict[str, Any], message: str) -> None:
    packed = codec.pack(np.random.default_rng(3).integers(0, 256, 35 * MIB, dtype=np.uint8))
    with pytest.raises(ValueRefused, match=message):
        stage.put("j", packed, **change)
    assert stage.stored() == []
    assert stage.mds.drop_inputs("j") == []


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(stage: Stage) -> None:
    packed = codec.pack(np.random.default_rng(4).integers(0, 256, 35 * MIB, dtype=np.uint8))
    stored, gone = threading.Event(), threading.Event()

    def requests() -> Iterator[data_pb2.PutValueRequest]:
        for number, request in enumerate(upload("j", packed)):
            if number == 34:
                stored.set()
                gone.wait(20)
            yield request

    call = stage.data.PutValue.future(requests())
    assert stored.wait(20)
    until(lambda: len(stage.stored()) > 0)
    call.cancel()
    gone.set()
    until(lambda: stage.stored() == [])
    assert not stage.put("j", packed).known  # nothing is stuck


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ([], "begins with its header"),
        ([data_pb2.PutValueRequest(data=b"x")], "begins with its header"),
        ([data_pb2.PutValueRequest(header=data_pb2.PutValueHeader(job_id="a:b", hash="0" * 64))], "no job id"),
        ([data_pb2.PutValueRequest(header=data_pb2.PutValueHeader(job_id="j", hash="../x"))], "not a SHA-256"),
        ([data_pb2.PutValueRequest(header=data_pb2.PutValueHeader(job_id="j", hash="0" * 64))], "no pickle"),
    ],
)
def test_a_malformed_upload_is_an_invalid_argument(
    stage: Stage, requests: list[data_pb2.PutValueRequest], message: str
) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        stage.data.PutValue(iter(requests))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert message in str(raised.value.details())


# Results.


@pytest.mark.parametrize(
    ("name", "stored"), [*((name, True) for name in VALUES), ("many buffers", False), ("small", False)]
)
def test_a_result_arrives_as_it_was_computed(stage: Stage, name: str, stored: bool) -> None:
    packed = codec.pack(VALUES[name])
    with stage.values() as values:
        mark = values.store("j", "0", packed, "t", 60.0) if stored else values.inline("j", "0", packed)
    stage.finish("j", {0: mark})
    assert same(stage.fetch("j", 0), VALUES[name])


@pytest.mark.parametrize("value", [None, True, 3, 2.5, "text", b"bytes"])
def test_a_scalar_comes_as_its_mark(stage: Stage, value: object) -> None:
    mark = codec.pack(value).scalar
    assert mark is not None
    stage.finish("j", {5: mark})
    (chunk,), data = stage.result("j", 5)
    assert (chunk.mark, chunk.total, data) == (mark, 0, b"")


def test_json_comes_as_its_mark(stage: Stage) -> None:
    stage.finish("j", {0: json_mark([1, {"a": None}])})
    (chunk,), _ = stage.result("j", 0)
    assert chunk.mark == b'J[1,{"a":null}]'


def test_an_uploaded_value_can_be_a_result(stage: Stage) -> None:
    ref = stage.put("j", codec.pack(VALUES["array"]))
    stage.finish("j", {0: ref.mark})
    assert same(stage.fetch("j", 0), VALUES["array"])


@pytest.mark.parametrize(
    ("name", "stored"),
    [("large pickle", True), ("many buffers", True), ("several stripes", True), ("many buffers", False)],
)
def test_a_broken_stream_resumes_anywhere(stage: Stage, name: str, stored: bool) -> None:
    packed = codec.pack(VALUES[name])
    with stage.values() as values:
        mark = values.store("j", "0", packed, "t", 60.0) if stored else values.inline("j", "0", packed)
    stage.finish("j", {0: mark})
    whole = b"".join([packed.pickle, *packed.buffers])
    border = len(packed.pickle)
    for offset in {0, 1, border - 1, border, border + 1, MIB + 1, len(whole) - 1, len(whole)}:
        if offset > len(whole):
            continue
        chunks, data = stage.result("j", 0, offset)
        assert chunks[0].total == len(whole)
        assert chunks[0].layout.pickle_length == border
        assert hashlib.sha256(data).digest() == hashlib.sha256(whole[offset:]).digest()


@pytest.mark.parametrize("job", ["never", "", "j:m", "j" * 129])
def test_a_result_of_an_unknown_job_is_refused(stage: Stage, job: str) -> None:
    if job != "never":
        stage.finish(job, {0: b"N"})  # what is no job id is not looked for
    with pytest.raises(UnknownJob) as raised:
        stage.result(job, 0)
    assert raised.value.job == job


def test_a_result_that_is_not_there_yet_says_so(stage: Stage) -> None:
    stage.finish("j", {0: b"N"})
    with pytest.raises(WukongError, match="task 3 of job 'j' has no value to give; the job is done"):
        stage.result("j", 3)


def test_a_mark_of_another_value_is_refused(stage: Stage) -> None:
    with stage.values() as values:
        packed = codec.pack(VALUES["array"])
        marks = {0: values.inline("j", "1", packed), 1: values.store("j", "0", packed, "t", 60.0)}
    stage.finish("j", marks)
    for task in marks:
        with pytest.raises(ValueRefused):
            stage.result("j", task)


def test_a_pickle_that_was_changed_in_the_store_is_never_sent_whole(stage: Stage) -> None:
    packed = codec.pack(VALUES["large pickle"])
    with stage.values() as values:
        mark = values.store("j", "0", packed, "t", 60.0)
    stage.finish("j", {0: mark})
    manifest = Manifest.decode(split_manifest_mark(mark)[1])
    assert manifest.pickle is None
    (key,) = [key for key in stage.stored() if ":v:" in key]
    for store in ("kvs-0", "kvs-1"):
        if stage.redis(store, "EXISTS", key):
            stage.redis(store, "SETRANGE", key, 10, b"evil")
    received = bytearray()

    def receive() -> None:
        for chunk in stage.data.GetResult(data_pb2.GetResultRequest(job_id="j", task=0)):
            received.extend(chunk.data)

    with pytest.raises(ValueRefused, match="was changed in the KVS"), wukong_errors("proxy"):
        receive()
    assert len(received) < len(packed.pickle)


def test_a_value_that_is_gone_says_so(stage: Stage) -> None:
    with stage.values() as values:
        mark = values.store("j", "0", codec.pack(VALUES["array"]), "t", 60.0)
        values.kvs.purge("j")
    stage.finish("j", {0: mark})
    with pytest.raises(WukongError, match="is not in the KVS"):
        stage.result("j", 0)


def test_a_job_is_read_through_the_ring_that_it_is_pinned_to(stage: Stage) -> None:
    packed = codec.pack(VALUES["array"])
    with stage.values() as values:
        mark = values.store("j", "0", packed, "t", 60.0)
    stage.finish("j", {0: mark})
    stage.ring.Register(
        ring_pb2.RegisterRequest(node=ring_pb2.KvsNode(id="kvs-9", address="127.0.0.1:1", agent_address="127.0.0.1:1"))
    )
    assert stage.newest().version == 3
    assert same(stage.fetch("j", 0), VALUES["array"])
    assert stage.redis("mds", "EXISTS", keys.ring(2)) == 1
