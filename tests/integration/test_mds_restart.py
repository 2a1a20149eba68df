"""The metadata store starts again and has forgotten what it had acknowledged: an executor sends it again."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.waiting import until

from wukong.cluster.valkey import ValkeyServer
from wukong.graph.convert import convert
from wukong.graph.page import build_pages
from wukong.graph.payload import cut
from wukong.kvs.ring import Node, Ring
from wukong.mds import keys
from wukong.mds.records import Record
from wukong.mds.redis import RedisMds
from wukong.mds.store import Arrival, JobSpec, Status, Sync
from wukong.redis import Connection
from wukong_executor import handler
from wukong_executor.environment import Environment

PASSWORD = "open-sesame"
JOB = "forgotten"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path, "mds", password=PASSWORD, durable=True) as server:
        yield server


def wait(folder: str) -> int:
    while not Path(folder, "go").exists():
        time.sleep(0.01)
    return 100


def add(*values: int) -> int:
    return sum(values)


class Job:
    """A job of four tasks in a store, and the environment of its executors."""

    def __init__(
        self, server: ValkeyServer, folder: Path, patch: pytest.MonkeyPatch, entries: list[str], asked: str
    ) -> None:
        self.environment = Environment(
            {
                "WUKONG_MDS_ADDRESS": server.address,
                "WUKONG_STORE_PASSWORD": PASSWORD,
                "WUKONG_SIGNING_KEY": "11" * 32,
                "WUKONG_BEAT_SECONDS": "0.02",
                "WUKONG_LEASE_SECONDS": "60",
            }
        )
        patch.setattr(handler, "_environment", lambda: self.environment)
        self.ring = Ring(1, (Node("n1", server.address),))
        self.dag = convert(
            {"a": (abs, -1), "b": (abs, -20), "w": (wait, str(folder)), "f": (add, "a", "b")}, list(asked)
        )
        self.task = {key: list(self.dag.keys).index(key) for key in "abwf"}
        payloads = cut(self.dag)
        firsts = [payload.first for payload in payloads]
        dag, signer = self.dag, self.environment.signer
        bodies = build_pages(dag.dep_offsets, dag.deps, dag.targets, firsts, [p.data for p in payloads], {})
        pages = [signer.sign(f"page:{JOB}:{i}", body) + body for i, body in enumerate(bodies)]
        spec = JobSpec(len(dag), len(dag.targets), len(pages), firsts, 4, self.ring, 600)
        self.other = RedisMds(server.address, password=PASSWORD, patience=30.0)
        self.redis = Connection(server.address, password=PASSWORD, patience=30.0)
        records = [Record(str(i), [self.task[key] for key in keys]) for i, keys in enumerate(entries)]
        assert self.other.submit(JOB, spec, pages, records, 60) == "running"
        self.outcomes: list[Any] = []

    def execute(self, record: str) -> threading.Thread:
        event = {"job": JOB, "record": record}
        executor = threading.Thread(target=lambda: self.outcomes.append(handler.handler(event, None)))
        executor.start()
        return executor

    def exists(self, record: str) -> bool:
        return self.redis.call("EXISTS", keys.record(JOB, record)) == 1

    def close(self) -> None:
        for store in (self.other, self.environment.mds):
            store.close_connections()
        self.environment.kvs(self.ring).close()
        self.redis.close()


def test_an_offload_that_the_store_forgot_is_sent_again(
    server: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(server, tmp_path, monkeypatch, ["wab"], "wf")
    [log] = tmp_path.rglob("*.incr.aof")
    real, gone, given = job.environment.mds.offload, [], []

    def forgotten(*arguments: Any) -> Any:
        length = log.stat().st_size
        status, accepted = real(*arguments)
        if not gone:
            os.kill(server.pid, signal.SIGKILL)
            server.close()
            os.truncate(log, length)
            server.start(server.address)
            forgot = [f"{arguments[4]}.{number}" for number in range(accepted)]
            assert not any(map(job.exists, forgot))
            gone.extend(forgot)  # from here on the main thread uses that connection
        return status, accepted

    monkeypatch.setattr(job.environment.mds, "offload", forgotten)
    post = lambda payload, trace: given.append(json.loads(payload)["record"])  # noqa: E731
    job.environment.__dict__["requests"] = lambda function: SimpleNamespace(post=post)
    executors = [job.execute("0")]
    try:
        until(lambda: bool(gone) and all(map(job.exists, gone)))
    finally:
        (tmp_path / "go").touch()
        executors[0].join(60)
    # They were invoked before, and come late.
    executors = [job.execute(record) for record in given]
    for executor in executors:
        executor.join(60)
    assert [outcome["status"] for outcome in job.outcomes] == ["ended"] * (1 + len(given))
    assert job.other.results(JOB, [job.task["f"], job.task["w"]]) == [b"I21", b"I100"]
    assert not job.other.sweep(JOB, 60.0).stalled
    job.close()


def test_a_fan_in_that_the_store_forgot_is_completed_all_the_same(
    server: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(server, tmp_path, monkeypatch, ["aw", "b"], "fw")
    environment, other, redis, dag = job.environment, job.other, job.redis, job.dag
    b, w, f = (job.task[key] for key in "bwf")
    edges = list(dag.deps[dag.dep_offsets[f] : dag.dep_offsets[f + 1]])

    gate, real = threading.Lock(), environment.mds.sync

    def sync(*arguments: Any) -> Any:
        with gate:
            return real(*arguments)

    monkeypatch.setattr(environment.mds, "sync", sync)
    executor = job.execute("0")
    try:
        until(lambda: redis.call("HLEN", keys.fan_in(JOB, 0, f)) == 1)
        with gate:
            redis.call("DEL", keys.fan_in(JOB, 0, f), keys.owners(JOB, 0))
            os.kill(server.pid, signal.SIGKILL)
            server.close()
            server.start(server.address)
            # The other parent's executor comes and goes before this one finds out.
            assert other.begin(JOB, "1", "t", 60).status is Status.OK
            synced = other.sync(JOB, "1", "t", 0, 60, Sync([Arrival(f, 2, [(edges.index(b), b"I20")])], end=True))
            assert (synced.ended, synced.answers[0].verdict.value) == (True, "N")
        until(lambda: redis.call("HGET", keys.owners(JOB, 0), f) == b"0")
        (tmp_path / "go").touch()
    finally:
        (tmp_path / "go").touch()
        executor.join(60)
    assert not executor.is_alive()
    assert job.outcomes == [{"status": "ended"}]
    assert other.results(JOB, [f, w]) == [b"I21", b"I100"]
    assert other.reconnects == 1
    job.close()
