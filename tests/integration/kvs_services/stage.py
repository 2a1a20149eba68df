"""A proxy and nodes' agents as they run, over real gRPC and real stores, and what tests need to look at them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

import numpy as np

import wukong_kvs_node.server
import wukong_kvs_proxy.server
from wukong.kvs.redis import RedisKvs
from wukong.kvs.ring import Ring
from wukong.mds.records import Record
from wukong.mds.redis import RedisMds
from wukong.mds.store import JobSpec, Status, Sync
from wukong.redis import Pool
from wukong.rpc.channel import channel
from wukong.rpc.content import content_hash
from wukong.rpc.service import Service
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import data_pb2, data_pb2_grpc, ring_pb2_grpc, value_pb2
from wukong.values import codec
from wukong.values.codec import Packed
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


VALUES: dict[str, object] = {
    "array": np.arange(300_000, dtype=np.float64),
    "several stripes": np.random.default_rng(1).integers(0, 256, 20 * MIB, dtype=np.uint8),
    "large pickle": [f"text {number}" for number in range(100_000)],
    "many buffers": [np.full(1000, number) for number in range(50)],
    "small": {"a": 1},
}
