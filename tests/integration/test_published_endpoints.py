"""Redis servers of the user's as KVS nodes: which are refused, and that nothing of theirs is touched."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain_store import keys, plain_store

import wukong
from wukong.client import stores
from wukong.cluster import endpoints
from wukong.cluster.valkey import ValkeyServer
from wukong.errors import ClusterUnavailable
from wukong.redis import Connection

INFO = "redis_version:7.2.4\r\nrole:master\r\ncluster_enabled:0"


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """Starts servers that give every connection one answer; None for none at all."""
    with ExitStack() as stack:

        def start(answer: bytes) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve() -> None:
                try:
                    while True:
                        connection, _ = listener.accept()
                        stack.enter_context(connection)
                        connection.recv(4096)
                        connection.sendall(answer)
                except OSError:
                    return

            thread = threading.Thread(target=serve)
            thread.start()
            stack.callback(thread.join)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            return f"127.0.0.1:{listener.getsockname()[1]}"

        yield start


def _bulk(text: str) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(text), text.encode())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_bulk(INFO.replace("7.2.4", "6.2.14")), "it is Redis 6.2.14, and the KVS needs 7 or newer, or any Valkey"),
        (_bulk(INFO.replace("master", "slave")), "it is a replica, which accepts no writes"),
        (_bulk(INFO.replace("enabled:0", "enabled:1")), "it is a node of a Redis Cluster"),
        (_bulk("hello"), "it does not say which Redis it is"),
        (b"-NOAUTH Authentication required.\r\n", "it wants a password, and redis_endpoints are used without one"),
        (b"-DENIED Redis is running in protected mode\r\n", "it refused INFO (DENIED Redis is running in protected"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "answered what is not RESP2"),
        (b"", "did not answer within 0.9 s"),
    ],
)
def test_an_unfit_endpoint_is_named_within_a_second(
    answering: Callable[[bytes], str], answer: bytes, reason: str
) -> None:
    good, bad = answering(_bulk(INFO)), answering(answer)
    begun = time.monotonic()
    with pytest.raises(ClusterUnavailable, match=re.escape(f"the Redis endpoint {bad} cannot be a KVS node: ")) as told:
        endpoints.check([good, bad])
    assert time.monotonic() - begun < 5  # one second, and what a busy machine adds
    assert reason in str(told.value)


def test_a_real_server_with_a_password_is_refused(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path, "store", password="secret") as server:
        host, port = server.address.split(":")
        with pytest.raises(ClusterUnavailable, match=rf"endpoint {server.address} .*: it wants a password"):
            wukong.LocalCluster(redis_endpoints=[(host, int(port))])


@pytest.fixture
def two_stores(tmp_path: Path) -> Iterator[list[Connection]]:
    with plain_store(tmp_path) as one, plain_store(tmp_path) as other:
        yield [one, other]


def _cluster(two_stores: list[Connection], **others: Any) -> wukong.LocalCluster:
    pairs = [(host, int(port)) for host, port in (store.address.split(":") for store in two_stores)]
    return wukong.LocalCluster(environments=2, redis_endpoints=pairs, **others)


def test_a_cluster_keeps_its_values_in_the_endpoints_and_takes_them_away_again(
    two_stores: list[Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    for store in two_stores:
        store.call("SET", "mine", "1")
        store.call("SET", "w:job:v:theirs", "2")
        store.call("SET", "w:5f1c02aa:job:v:theirs", "3")
    before = [keys(store) for store in two_stores]
    options = {"chunk_large_tasks": True, "big_task_threshold": 2 << 20, "num_chunks_for_large_tasks": 5}
    options |= {"lambda_debug": True, "debug_mode": True, "aws_region": "eu-west-3", "latency": {"store_seconds": 1e-4}}
    with _cluster(two_stores, **options) as cluster:
        assert sum(role == "relay" for role, _ in cluster.processes()) > 0  # to slow the endpoints down too
        assert Counter(role for role, _ in cluster.processes())["store"] == 1  # the metadata store alone
        with wukong.Client(cluster) as client:
            numbers = client.submit(np.arange, 1_000_000)
            assert client.submit(np.sum, numbers).result() == 499_999_500_000
            ours = [sorted(set(keys(store)) - set(old)) for store, old in zip(two_stores, before, strict=True)]
            stripes = [key for found in ours for key in found if ":v:" in key]
            assert sorted(key.rpartition(":")[2] for key in stripes) == ["0", "1", "2", "3", "4"]
            assert len({key[:11] for found in ours for key in found}) == 1  # w:, eight digits and a colon
            for store, found in zip(two_stores, ours, strict=True):
                assert all(0 < store.call("TTL", key) <= 2 * 86_400 for key in found)
            assert client.submit(_region).result() == "eu-west-3"
        monkeypatch.setattr(stores, "_answers", lambda *_: False)
        with wukong.Client(cluster) as behind_the_proxy:
            assert behind_the_proxy.submit(np.arange, 1_000_000).result()[-1] == 999_999
            assert behind_the_proxy.get({"sum": (np.sum, np.ones(1_000_000))}, "sum") == 1_000_000
        logs = cluster.logs()
        assert "DEBUG wukong.rpc.failure: /wukong.rpc.v1.Scheduler/SubmitJob is called" in logs["control"]
        assert re.search(r"\[DEBUG\].*record 0 of job \w+: begun", logs["wukong-executor"])
    assert [keys(store) for store in two_stores] == before


def _region() -> str:
    import os

    return os.environ["AWS_DEFAULT_REGION"]


def test_an_endpoint_that_went_away_does_not_keep_the_others_from_being_cleared(two_stores: list[Connection]) -> None:
    kept = two_stores[1]
    kept.call("SET", "w:5f1c02aa:k", "theirs")
    for number in range(2500):
        kept.call("SET", f"w:00000000:job:v:{number}:t:0", "x")
    with pytest.raises(ClusterUnavailable, match=r"127\.0\.0\.1:1'"):
        endpoints.clear(["127.0.0.1:1", kept.address], "00000000:")
    assert keys(kept) == ["w:5f1c02aa:k"]


@pytest.mark.parametrize("part", ["kvs-proxy", "scheduler"])
def test_a_port_in_use_is_named(part: str, standins: Callable[..., None]) -> None:
    standins(kvs_proxy="wukong_kvs_proxy.server:serve")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = {"proxy_port": port} if part == "kvs-proxy" else {"host": f"127.0.0.1:{port}"}
        with pytest.raises(ClusterUnavailable, match=rf"(?s)'{part}' did not start: .*[Aa]ddress already in use"):
            wukong.LocalCluster(**options)


def test_the_proxy_listens_where_it_was_told(standins: Callable[..., None]) -> None:
    standins(kvs_proxy="wukong_kvs_proxy.server:serve")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with wukong.LocalCluster(proxy_address="127.0.0.1", proxy_port=port):
        socket.create_connection(("127.0.0.1", port)).close()
