"""A scheduler on a real metadata store, over real gRPC, with an Invoke API that records."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from wukong.kvs.ring import Node, Ring
from wukong.mds.counters import Counters
from wukong.mds.redis import RedisMds
from wukong.mds.store import LogText, Status, Sync
from wukong.redis.connection import Connection
from wukong.rpc.channel import channel
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import cluster_pb2, graph_pb2, job_pb2, scheduler_pb2, scheduler_pb2_grpc
from wukong.runtime import installed
from wukong_scheduler.server import serve

PASSWORD = "store-password"
TOKEN = "token"
KEY = bytes(range(32))
HERE = installed()


class Lambda:
    """An Invoke API that keeps what it is asked."""

    def __init__(self) -> None:
        self.payloads: list[dict[str, str]] = []
        self.status = 202
        here = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Else the empty answer waits for the acknowledgement of its head.
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                here.payloads.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(here.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Stage:
    """A scheduler with its surroundings, and a client of it."""

    def __init__(self, store: str, endpoint: Lambda) -> None:
        self.store = store
        self.endpoint = endpoint
        self.mds = RedisMds(store, password=PASSWORD)
        self.ring = Ring(1, (Node("node-1", store),))
        self.mds.put_ring(self.ring)
        self.environ = {
            "WUKONG_MDS_ADDRESS": store,
            "WUKONG_STORE_PASSWORD": PASSWORD,
            "WUKONG_TOKEN": TOKEN,
            "WUKONG_SIGNING_KEY": KEY.hex(),
            "WUKONG_PROXY_ADDRESS": "127.0.0.1:7",
            "WUKONG_LAMBDA_ENDPOINT": endpoint.url,
            "WUKONG_PARALLELISM": "8",
        }
        self._stop: Callable[[], None] | None = None

    def start(self, **environ: str) -> None:
        """Start a scheduler, or start it again."""
        self.stop()
        started: list[str] = []
        ready = threading.Event()
        loop = asyncio.new_event_loop()
        ended = asyncio.Event()

        async def run() -> None:
            try:
                service = await serve({**self.environ, **environ})
                started.append(service.address)
            finally:
                ready.set()
            await ended.wait()
            await service.close()

        def main() -> None:
            with contextlib.closing(loop):
                loop.run_until_complete(run())
                loop.run_until_complete(loop.shutdown_default_executor())

        thread = threading.Thread(target=main)
        thread.start()
        ready.wait()
        (self.address,) = started
        self.channel = channel(self.address, TOKEN)
        self.stub = scheduler_pb2_grpc.SchedulerStub(self.channel)

        def stop() -> None:
            self.channel.close()
            loop.call_soon_threadsafe(ended.set)
            thread.join()

        self._stop = stop

    def stop(self) -> None:
        if self._stop is not None:
            self._stop()
            self._stop = None

    def stored(self) -> set[str]:
        connection = Connection(self.store, password=PASSWORD)
        found = connection.call("KEYS", "w:*")
        connection.close()
        assert isinstance(found, list)
        return {key.decode() for key in found if isinstance(key, bytes)}

    def submit(self, request: scheduler_pb2.SubmitJobRequest) -> scheduler_pb2.SubmitJobResponse:
        with wukong_errors(self.address):
            return self.stub.SubmitJob(request)

    def job(self, name: str) -> job_pb2.Job:
        with wukong_errors(self.address):
            return self.stub.GetJob(job_pb2.JobRef(job_id=name))

    def release(self, name: str) -> None:
        with wukong_errors(self.address):
            self.stub.ReleaseJob(job_pb2.JobRef(job_id=name))

    def invoked(self, count: int) -> list[dict[str, str]]:
        """What was invoked, once there were `count` invocations."""
        until(lambda: len(self.endpoint.payloads) >= count)
        return self.endpoint.payloads

    def execute(self, name: str, results: dict[int, bytes], record: str = "0") -> None:
        """Do what an executor does that has all results at once."""
        begun = self.mds.begin(name, record, "holder", 30.0)
        assert begun.status is Status.OK
        synced = self.mds.sync(
            name,
            record,
            "holder",
            begun.generation,
            30.0,
            Sync(
                results=list(results.items()),
                counters=Counters(tasks_run=4, bytes_read=10),
                logs=[LogText(1, "stdout", "hello\n")],
                end=True,
            ),
        )
        assert synced.ended


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def words(values: Sequence[int]) -> bytes:
    return np.asarray(values, dtype="<u4").tobytes()


PAYLOADS = [b"Pfirst page", b"Psecond page"]
HASHES = [hashlib.sha256(data).hexdigest() for data in PAYLOADS]


def diamond(name: str = "job-1", pages: Sequence[bytes] = PAYLOADS) -> scheduler_pb2.SubmitJobRequest:
    """0 -> 1, 2 -> 3 on two pages; 3 and 1 are asked for."""
    return scheduler_pb2.SubmitJobRequest(
        job_id=name,
        graph=graph_pb2.Graph(
            page_hashes=HASHES,
            first_tasks=[0, 2],
            dep_offsets=words([0, 0, 1, 2, 4]),
            deps=words([0, 0, 1, 2]),
            targets=words([3, 1]),
            pages=[graph_pb2.Page(hash=hashlib.sha256(data).hexdigest(), data=data) for data in pages],
        ),
        client=cluster_pb2.Runtime(python=HERE.python, packages=HERE.packages),
    )


def calls(name: str = "calls-1") -> scheduler_pb2.SubmitJobRequest:
    request = scheduler_pb2.SubmitJobRequest(job_id=name, targets=["total", "a"])
    tasks: list[tuple[str, str, list[Any]]] = [
        ("total", "builtins:sum", [[{"$task": "a"}, {"$task": "b"}]]),
        ("a", "operator:add", [1, 2]),
        ("b", "math:factorial", [{"$task": "a"}]),
    ]
    for task, function, args in tasks:
        added = request.tasks.add(id=task)
        added.call.function = function
        added.call.args.extend(args)
    return request
