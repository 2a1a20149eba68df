"""Wide fan-outs: executors in threads of the test, a real proxy, a real store, and an Invoke API between them."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dask
import numpy as np
import pytest

import wukong
import wukong_kvs_node.server
import wukong_kvs_proxy.server
from wukong.cluster.plan import Plan
from wukong.cluster.valkey import ValkeyServer
from wukong.errors import ClusterUnavailable, ValueRefused
from wukong.graph.convert import convert
from wukong.graph.page import build_pages
from wukong.graph.payload import cut
from wukong.mds.records import Record
from wukong.mds.store import JobInfo, JobSpec, Status
from wukong.redis import Connection
from wukong_executor import fan_out, handler, offloading
from wukong_executor.environment import Environment
from wukong_kvs_proxy.fan_out import FanOuts

SECRETS = {"WUKONG_STORE_PASSWORD": "open-sesame", "WUKONG_SIGNING_KEY": "11" * 32, "WUKONG_TOKEN": "the-token"}
CHILDREN = 30


class Server(ThreadingHTTPServer):
    request_queue_size = 128


class Lambda:
    """An Invoke API that runs the executor's handler in threads, once for each request."""

    def __init__(self) -> None:
        self.agents: list[str] = []
        self.records: list[str] = []
        self.refuse = 0
        self.runs = True
        self.pool = ThreadPoolExecutor(64)
        self.outcomes: list[Any] = []
        this = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                proxy = "aiohttp" in self.headers.get("User-Agent", "")
                if this.refuse and proxy:
                    this.refuse -= 1
                    self.send_response(403)
                else:
                    this.agents.append("proxy" if proxy else "executor")
                    this.invoke(event)
                    self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def invoke(self, event: dict[str, Any]) -> None:
        self.records.append(event["record"])
        if self.runs:
            self.outcomes.append(self.pool.submit(handler.handler, event, None))

    def join(self) -> None:
        for outcome in self.outcomes:  # grows meanwhile
            outcome.result(60)

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.pool.shutdown()


class Stage:
    """Everything but executors; a proxy in a loop of its own."""

    def __init__(self, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.address = address
        self.monkeypatch = monkeypatch
        self.lambda_ = Lambda()
        self.environments: list[Environment] = []
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "nobodys")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        common = {**SECRETS, "WUKONG_MDS_ADDRESS": address, "WUKONG_LAMBDA_ENDPOINT": self.lambda_.url}
        self.proxy: Any = self.do(wukong_kvs_proxy.server.serve(common))
        node = {"WUKONG_NODE_ID": "n1", "WUKONG_NODE_REDIS_ADDRESS": address}
        self.node: Any = self.do(
            wukong_kvs_node.server.serve({**common, **node, "WUKONG_PROXY_ADDRESS": self.proxy.address})
        )
        self.common = {**common, "WUKONG_BEAT_SECONDS": "0.02", "WUKONG_LEASE_SECONDS": "10"}
        self.executors(self.proxy.address)
        self.store = Connection(address, password=SECRETS["WUKONG_STORE_PASSWORD"])

    def executors(self, proxy: str) -> None:
        """From now on executors are told of this proxy."""
        environ = {**self.common, "WUKONG_PROXY_ADDRESS": proxy, "WUKONG_MAX_TASK_FANOUT": "1"}
        self.environment = Environment(environ)
        self.environments.append(self.environment)
        self.monkeypatch.setattr(handler, "_environment", lambda: self.environment)

    def do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def written(self) -> int:
        info = self.store.call("INFO", "stats").decode()
        return int(info.partition("total_net_input_bytes:")[2].split()[0])

    def run(self, dsk: Any, asked: Any, parallelism: int = 12) -> tuple[Any, JobInfo]:
        dag = convert(dsk, [asked])
        job = os.urandom(6).hex()
        mds = self.environment.mds
        ring = mds.newest_ring()
        assert ring is not None
        payloads = cut(dag)
        firsts = [payload.first for payload in payloads]
        bodies = build_pages(dag.dep_offsets, dag.deps, dag.targets, firsts, [p.data for p in payloads], {})
        pages = [self.environment.signer.sign(f"page:{job}:{i}", body) + body for i, body in enumerate(bodies)]
        leaves = [task for task in range(len(dag)) if dag.dep_offsets[task] == dag.dep_offsets[task + 1]]
        spec = JobSpec(len(dag), 1, len(pages), firsts, parallelism, ring, 60)
        assert mds.submit(job, spec, pages, [Record("0", leaves)], 10) == "running"
        self.lambda_.invoke({"job": job, "record": "0"})
        self.lambda_.join()
        info = mds.job(job)
        assert info is not None
        assert info.state == "done", info.failure
        target = int(dag.targets[0])
        (mark,) = mds.results(job, [target])
        assert mark is not None
        return self.environment.values(ring).load(job, str(target), mark), info

    def close(self) -> None:
        self.do(self.node.close())
        self.do(self.proxy.close())
        self.lambda_.close()
        ring = self.environment.mds.newest_ring()
        for environment in self.environments:
            if ring is not None:
                environment.kvs(ring).close()
            environment.mds.close_connections()
            environment.requests(environment.function).close()
        self.do(self.loop.shutdown_default_executor())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        self.store.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("valkey")
    with ValkeyServer(folder, "store", password=SECRETS["WUKONG_STORE_PASSWORD"]) as server:
        yield server.address


@pytest.fixture
def stage(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(offloading, "STREAMED_BYTES", 1 << 30)
    stage = Stage(address, monkeypatch)
    yield stage
    stage.close()


def _sum_with(array: Any, number: int) -> float:
    time.sleep(0.03)
    return float(array.sum()) + number


def fan(length: int) -> dict[Any, Any]:
    """One value, many that use it, one that uses them all."""
    graph: dict[Any, Any] = {"value": (np.arange, float(length))}
    graph |= {("child", i): (_sum_with, "value", i) for i in range(CHILDREN)}
    graph["total"] = (sum, [("child", i) for i in range(CHILDREN)])
    return graph


@pytest.fixture(scope="module")
def expected() -> float:
    """Of the graph with the large value."""
    return float(dask.get(fan(200_000), "total"))


def check(stage: Stage, expected: float, *, stored: float) -> JobInfo:
    """Equal to Dask, each task once, and about so many times the value's 1.6 MB in the store."""
    before = stage.written()
    found, info = stage.run(fan(200_000), "total")
    assert found == expected
    assert info.counters.tasks_run == CHILDREN + 2
    assert stored * 1_600_000 <= stage.written() - before < stored * 1_600_000 + 800_000
    return info


def test_a_wide_fan_out_is_one_request_that_stores_the_value_once(stage: Stage, expected: float) -> None:
    info = check(stage, expected, stored=1)
    assert "proxy" in stage.lambda_.agents
    assert info.counters.executors > 2
    assert info.counters.bytes_written > 1_600_000
    # Each record was invoked once, and nothing was left over.
    assert sorted(set(stage.lambda_.records)) == sorted(stage.lambda_.records)
    assert info.counters.invocations == len(stage.lambda_.records) == info.counters.executors


def test_a_value_too_large_for_the_detour_is_stored_before(
    stage: Stage, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offloading, "STREAMED_BYTES", 1_000_000)
    streamed: list[bool] = []
    real = FanOuts.give

    async def give(self: FanOuts, header: Any, requests: Any) -> Any:
        streamed.append(header.HasField("value"))
        return await real(self, header, requests)

    monkeypatch.setattr(FanOuts, "give", give)
    check(stage, expected, stored=1)
    assert streamed
    assert not any(streamed)


def test_small_inputs_travel_inside(stage: Stage) -> None:
    found, info = stage.run(fan(10), "total")
    assert found == dask.get(fan(10), "total")
    assert info.counters.tasks_run == CHILDREN + 2
    assert "proxy" in stage.lambda_.agents


def test_without_a_proxy_it_goes_directly(stage: Stage, expected: float) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        stage.executors(f"127.0.0.1:{nobody.getsockname()[1]}")
        check(stage, expected, stored=1)
    assert set(stage.lambda_.agents) == {"executor"}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_proxy_that_dies_is_replaced_by_the_executor(
    stage: Stage, expected: float, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After it stored the value; after it did everything, with the answer lost."""
    real = FanOuts.give

    async def give(self: FanOuts, header: Any, requests: Any) -> Any:
        if when == "before":
            await self._store(await asyncio.to_thread(self._kvs, header.job_id), header, requests)
        else:
            await real(self, header, requests)
        raise ClusterUnavailable("the proxy is gone")

    monkeypatch.setattr(FanOuts, "give", give)
    check(stage, expected, stored=2)  # the same bytes under the same keys
    assert "executor" in stage.lambda_.agents


def test_what_the_proxy_cannot_invoke_the_executor_does(stage: Stage, expected: float) -> None:
    stage.lambda_.refuse = 3
    check(stage, expected, stored=1)
    assert stage.lambda_.refuse == 0
    assert {"proxy", "executor"} <= set(stage.lambda_.agents)


def test_whoever_does_not_hold_the_record_gives_nothing_away(stage: Stage) -> None:
    mds = stage.environment.mds
    stage.lambda_.runs = False
    ring = mds.newest_ring()
    assert ring is not None
    mds.submit("job-s", JobSpec(9, 1, 1, [0], 9, ring, 60), [b"page"], [Record("0", [0])], 10)
    assert mds.begin("job-s", "0", "holder", 10).status is Status.OK
    pieces = [Record("", [task], [], 1) for task in range(1, 9)]

    def give(token: str, offload: str, shared: Any = None) -> tuple[Status, int, Any]:
        wide = fan_out.Wide("job-s", "0", token, 0, offload, 10.0, pieces, [[0]] * len(pieces), shared)
        return fan_out.through_proxy(stage.proxy.address, SECRETS["WUKONG_TOKEN"], wide)

    values = stage.environment.values(ring)
    value = fan_out.Shared(0, *values.announce("job-s", "0", values.pack(np.arange(9000.0)), "stranger"), 60.0)
    assert give("stranger", "stranger-1") == (Status.STALE, 0, [])
    assert give("stranger", "stranger-1", value) == (Status.STALE, 0, [])
    with pytest.raises(ValueRefused, match="not that of a value of its holder's"):
        give("holder", "holder-1", value)
    assert stage.store.call("KEYS", "w:job-s:v:*") == []
    assert stage.lambda_.records == []
    assert give("holder", "holder-1") == (Status.OK, 8, [])
    assert give("holder", "holder-1") == (Status.OK, 8, [])  # repeated: the same records
    assert sorted(set(stage.lambda_.records)) == [f"holder-1.{number}" for number in range(8)]
    info = mds.job("job-s")
    assert info is not None
    assert info.live_records == 9
    mds.close("job-s", "cancelled")
    assert give("holder", "holder-2") == (Status.STOP, 0, [])


def test_in_an_embedded_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forked environments, and the proxy in the control process."""
    monkeypatch.setattr("wukong.cluster.local.Plan", partial(Plan, max_task_fanout=1))
    graph = fan(20_000)
    with wukong.LocalCluster(environments=6) as cluster, wukong.Client(cluster) as client:
        assert client.get(graph, "total") == CHILDREN * sum(range(20_000)) + sum(range(CHILDREN))
        report = client.report()
        log = cluster.logs()["wukong-executor"]
    assert report.tasks_run == report.tasks
    assert report.executors > 2
    assert "goes directly" not in log
    assert "was not invoked" not in log
