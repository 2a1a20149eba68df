"""Whether the stores can be reached: found out quickly, also where nothing answers."""

from __future__ import annotations

import socket
import time

import pytest

from wukong.client import stores
from wukong.rpc.v1 import cluster_pb2


def told(address: str) -> cluster_pb2.Cluster:
    return cluster_pb2.Cluster(
        direct=cluster_pb2.Direct(mds_address=address, store_password="p", signing_key=b"k" * 32)
    )


def test_a_cluster_that_does_not_offer_its_stores_is_not_asked_for_them() -> None:
    assert stores.reach(cluster_pb2.Cluster()) is None


def test_a_store_that_says_nothing_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stores._TRIAL_SECONDS <= 2
    monkeypatch.setattr(stores, "_TRIAL_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        assert stores.reach(told(f"127.0.0.1:{silent.getsockname()[1]}")) is None
        assert 0.1 <= time.monotonic() - begun < 10


def test_a_store_that_is_not_there_is_given_up_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    begun = time.monotonic()
    assert stores.reach(told(f"127.0.0.1:{port}")) is None
    assert time.monotonic() - begun < stores._TRIAL_SECONDS
