"""The metadata store starts again and has forgotten what it had acknowledged: an executor sends it again."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait(folder: str) -> int:
    while not Path(folder, "go").exists():
        time.sleep(0.01)
    return 100


def add(*values: int) -> int:
    return sum(values)


def test_a_fan_in_that_the_store_forgot_is_completed_all_the_same(
    server: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = Environment(
        {
            "WUKONG_MDS_ADDRESS": server.address,
            "WUKONG_STORE_PASSWORD": PASSWORD,
            "WUKONG_SIGNING_KEY": "11" * 32,
            "WUKONG_BEAT_SECONDS": "0.02",
            "WUKONG_LEASE_SECONDS": "60",
        }
    )
    monkeypatch.setattr(handler, "_environment", lambda: environment)
    ring = Ring(1, (Node("n1", server.address),))
    dag = convert({"a": (abs, -1), "b": (abs, -20), "w": (wait, str(tmp_path)), "f": (add, "a", "b")}, ["f", "w"])
    a, b, w, f = (dag.index[key] if key in dag.index else list(dag.keys).index(key) for key in "abwf")
    payloads = cut(dag)
    firsts = [payload.first for payload in payloads]
    bodies = build_pages(dag.dep_offsets, dag.deps, dag.targets, firsts, [p.data for p in payloads], {})
    pages = [environment.signer.sign(f"page:{JOB}:{i}", body) + body for i, body in enumerate(bodies)]
    spec = JobSpec(len(dag), len(dag.targets), len(pages), firsts, 4, ring, 600)
    other = RedisMds(server.address, password=PASSWORD, patience=30.0)
    redis = Connection(server.address, password=PASSWORD, patience=30.0)
    assert other.submit(JOB, spec, pages, [Record("0", [a, w]), Record("1", [b])], 60) == "running"
    edges = list(dag.deps[dag.dep_offsets[f] : dag.dep_offsets[f + 1]])

    gate, real, outcomes = threading.Lock(), environment.mds.sync, []

    def sync(*arguments: Any) -> Any:
        with gate:
            return real(*arguments)

    monkeypatch.setattr(environment.mds, "sync", sync)
    event = {"job": JOB, "record": "0"}
    executor = threading.Thread(target=lambda: outcomes.append(handler.handler(event, None)))
    executor.start()
    try:
        _until(lambda: redis.call("HLEN", keys.fan_in(JOB, 0, f)) == 1)
        with gate:
            redis.call("DEL", keys.fan_in(JOB, 0, f), keys.owners(JOB, 0))
            os.kill(server.pid, signal.SIGKILL)
            server.close()
            server.start(server.address)
            # The other parent's executor comes and goes before this one finds out.
            assert other.begin(JOB, "1", "t", 60).status is Status.OK
            synced = other.sync(JOB, "1", "t", 0, 60, Sync([Arrival(f, 2, [(edges.index(b), b"I20")])], end=True))
            assert (synced.ended, synced.answers[0].verdict.value) == (True, "N")
        _until(lambda: redis.call("HGET", keys.owners(JOB, 0), f) == b"0")
        (tmp_path / "go").touch()
    finally:
        (tmp_path / "go").touch()
        executor.join(60)
    assert not executor.is_alive()
    assert outcomes == [{"status": "ended"}]
    assert other.results(JOB, [f, w]) == [b"I21", b"I100"]
    assert other.reconnects == 1
    for store in (other, environment.mds):
        store.close_connections()
    environment.kvs(ring).close()
    redis.close()
