"""Who is asked, and who is passed over for a while."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wukong.errors import ClusterUnavailable
from wukong.kvs.nodes import PASSED_OVER, PATIENCE, Nodes
from wukong.kvs.ring import Node, Ring
from wukong.redis import Connection, ConnectionLost
from wukong.testing.clock import Clock

RING = Ring(1, tuple(Node(name, "127.0.0.1:1") for name in "abc"))


class Servers:
    """Stands for what nodes do: those that are `away` say nothing, or refuse."""

    def __init__(self, error: type[ClusterUnavailable] = ClusterUnavailable) -> None:
        self.error = error
        self.away: set[str] = set()
        self.asked: list[str] = []

    def ask(self, nodes: Nodes, node: Node) -> None:
        def action(connection: Connection) -> None:
            self.asked.append(node.id)
            if node.id in self.away:
                raise self.error("away")

        nodes.ask(node, action)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def nodes(clock: Clock) -> Iterator[Nodes]:
    nodes = Nodes(RING, "", clock=clock, sleep=clock.advance)
    yield nodes
    for pool in nodes.pools.values():
        pool.close()


def test_while_all_answer_the_ring_decides(nodes: Nodes) -> None:
    for key in map(str, range(50)):
        assert nodes.candidates(key) == RING.candidates(key)
        assert nodes.place(key) == RING.place(key)


def test_a_node_is_asked_twice_and_then_passed_over_until_a_while_is_over(nodes: Nodes, clock: Clock) -> None:
    servers = Servers()
    node = RING.place("key")
    second = RING.candidates("key")[1]
    servers.away = {node.id}
    with pytest.raises(ClusterUnavailable):
        servers.ask(nodes, node)
    assert servers.asked == [node.id] * 2
    assert nodes.place("key") == second
    assert nodes.candidates("key")[-1] == node
    clock.advance(PASSED_OVER + 1)
    assert nodes.place("key") == node
    with pytest.raises(ClusterUnavailable):
        servers.ask(nodes, node)
    assert servers.asked == [node.id] * 3, "one that was silent before is asked once"
    assert nodes.place("key") == second


def test_a_node_that_answers_again_is_as_good_as_before(nodes: Nodes) -> None:
    servers = Servers()
    node = RING.place("key")
    servers.away = {node.id}
    with pytest.raises(ClusterUnavailable):
        servers.ask(nodes, node)
    servers.away.clear()
    servers.ask(nodes, node)
    assert nodes.candidates("key") == RING.candidates("key")


def test_a_node_that_refuses_is_waited_for_a_moment(nodes: Nodes, clock: Clock) -> None:
    servers = Servers(ConnectionLost)
    node = RING.place("key")
    servers.away = {node.id}
    start = clock()
    with pytest.raises(ConnectionLost):
        servers.ask(nodes, node)
    assert PATIENCE - 0.5 < clock() - start <= PATIENCE
    assert len(servers.asked) > 5
    assert nodes.passed_over(node)
    asked = len(servers.asked)
    with pytest.raises(ConnectionLost):
        servers.ask(nodes, node)
    assert len(servers.asked) == asked + 1, "one that was waited for in vain is not waited for again"


def test_the_only_node_is_waited_for_each_time(clock: Clock) -> None:
    servers = Servers(ConnectionLost)
    node = RING.nodes[0]
    servers.away = {node.id}
    only = Nodes(Ring(1, (node,)), "", clock=clock, sleep=clock.advance)
    for _ in range(2):
        before = clock()
        with pytest.raises(ConnectionLost):
            servers.ask(only, node)
        assert clock() - before > PATIENCE - 0.5
    only.pools[node].close()
