"""The ring and the nodes' agents, over real gRPC and real stores."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from tests.integration.kvs_services.stage import KEY, MIB, PASSWORD, TOKEN, Loop, Stage, until

import wukong_kvs_proxy.server
from wukong.errors import AccessDenied, ClusterUnavailable, WukongError
from wukong.kvs.ring import Node, Ring
from wukong.rpc.channel import channel
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import node_pb2, node_pb2_grpc, ring_pb2, ring_pb2_grpc
from wukong.values import codec


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
