"""The Ring service around the membership: what is kept, and in which order."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from wukong.errors import ClusterUnavailable
from wukong.kvs.ring import Node, Ring
from wukong.mds.store import Mds
from wukong.rpc.v1 import ring_pb2
from wukong_kvs_proxy.membership import SILENCE_SECONDS, Membership
from wukong_kvs_proxy.ring import RingAuthority

CONTEXT: Any = None


class Store:
    """Keeps rings, or fails to."""

    def __init__(self) -> None:
        self.rings: list[Ring] = []
        self.away = False

    def put_ring(self, ring: Ring) -> None:
        if self.away:
            raise ClusterUnavailable("the metadata store is away")
        self.rings.append(ring)

    def ring(self, version: int) -> Ring | None:
        return next((ring for ring in self.rings if ring.version == version), None)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def authority(store: Store, clock: Callable[[], float]) -> RingAuthority:
    return RingAuthority(cast(Mds, store), Membership.restored(None, 0.0), clock)


def register(name: str) -> ring_pb2.RegisterRequest:
    return ring_pb2.RegisterRequest(node=ring_pb2.KvsNode(id=name, address=f"{name}:6379", agent_address=f"{name}:1"))


def test_a_ring_is_kept_before_it_is_told(store: Store, clock: Clock) -> None:
    async def scene() -> None:
        ring = authority(store, clock)
        store.away = True
        with pytest.raises(ClusterUnavailable, match="away"):
            await ring.Register(register("a"), CONTEXT)
        with pytest.raises(ClusterUnavailable, match="no node"):
            await ring.GetRing(ring_pb2.GetRingRequest(), CONTEXT)
        assert not (await ring.Heartbeat(ring_pb2.HeartbeatRequest(node_id="a"), CONTEXT)).known
        store.away = False
        assert (await ring.Register(register("a"), CONTEXT)).ring_version == 1

    asyncio.run(scene())
    assert store.rings == [Ring(1, (Node("a", "a:6379"),))]


def test_nodes_that_come_at_once_get_a_version_each(store: Store, clock: Clock) -> None:
    async def scene() -> list[int]:
        ring = authority(store, clock)
        answers = await asyncio.gather(*(ring.Register(register(name), CONTEXT) for name in "abc"))
        return [answer.ring_version for answer in answers]

    assert asyncio.run(scene()) == [1, 2, 3]
    assert [[node.id for node in ring.nodes] for ring in store.rings] == [["a"], ["a", "b"], ["a", "b", "c"]]


def test_a_silent_node_leaves_as_soon_as_that_can_be_kept(store: Store, clock: Clock) -> None:
    async def scene() -> None:
        ring = authority(store, clock)
        await ring.Register(register("a"), CONTEXT)
        await ring.Register(register("b"), CONTEXT)
        while clock.now < SILENCE_SECONDS:
            clock.now += 1.0
            await ring.Heartbeat(ring_pb2.HeartbeatRequest(node_id="a"), CONTEXT)
            await ring.look()
        clock.now += 1.0
        store.away = True
        with pytest.raises(ClusterUnavailable):
            await ring.look()
        assert ring.ring.version == 2
        store.away = False
        await ring.look()
        assert ring.ring == Ring(3, (Node("a", "a:6379"),))
        assert not (await ring.Heartbeat(ring_pb2.HeartbeatRequest(node_id="b"), CONTEXT)).known

    asyncio.run(scene())


def test_agents_of_an_older_ring_are_told_where_they_are_known(store: Store, clock: Clock) -> None:
    async def scene() -> ring_pb2.RingVersion:
        ring = authority(store, clock)
        await ring.Register(register("a"), CONTEXT)
        await ring.Register(register("b"), CONTEXT)
        return await ring.GetRing(ring_pb2.GetRingRequest(version=1), CONTEXT)

    answer = asyncio.run(scene())
    assert (answer.version, [node.agent_address for node in answer.nodes]) == (1, ["a:1"])
