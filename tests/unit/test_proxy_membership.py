import pytest

from wukong.kvs.ring import Node, Ring
from wukong_kvs_proxy.membership import HEARTBEAT_SECONDS, LOOK_SECONDS, SILENCE_SECONDS, Membership

A = Node("a", "10.0.0.1:6379")
B = Node("b", "10.0.0.2:6379")


@pytest.fixture
def two() -> Membership:
    return Membership.restored(None, 0.0).register(B, "b:1", 0.0).register(A, "a:1", 0.0)


def looks(membership: Membership, start: float, end: float) -> Membership:
    """Looks once a second, as the shell does."""
    now = start
    while now <= end:
        membership = membership.look(now)
        now += LOOK_SECONDS
    return membership


def test_each_new_node_makes_a_version_with_nodes_ordered_by_id(two: Membership) -> None:
    assert two.ring == Ring(2, (A, B))


def test_registering_again_changes_nothing(two: Membership) -> None:
    assert two.register(A, "a:1", 1.0).ring == two.ring


def test_a_node_at_a_new_address_makes_a_version(two: Membership) -> None:
    moved = Node("a", "10.0.0.9:6379")
    assert two.register(moved, "a:1", 1.0).ring == Ring(3, (moved, B))


def test_a_new_agent_address_makes_no_version_but_is_known(two: Membership) -> None:
    changed = two.register(A, "a:2", 1.0)
    assert changed.ring == two.ring
    assert changed.agent("a") == "a:2"


def test_a_silent_node_leaves_after_its_time_and_not_before(two: Membership) -> None:
    beating = two
    now = 0.0
    while now < SILENCE_SECONDS:
        beating = beating.heartbeat("a", now).look(now)
        now += LOOK_SECONDS
    assert beating.look(SILENCE_SECONDS).ring == Ring(2, (A, B))
    gone = beating.look(SILENCE_SECONDS + 0.5)
    assert gone.ring == Ring(3, (A,))
    assert not gone.knows("b")


def test_when_all_are_silent_the_ring_stays_until_one_speaks(two: Membership) -> None:
    silent = looks(two, 0.0, 100.0)
    assert silent.ring == Ring(2, (A, B))
    assert silent.heartbeat("b", 100.5).look(101.0).ring == Ring(3, (B,))


def test_a_node_that_left_is_unknown_until_it_registers(two: Membership) -> None:
    gone = two.heartbeat("b", 9.0).look(4.0).look(8.0).look(11.0)
    assert gone.ring == Ring(3, (B,))
    assert gone.heartbeat("a", 12.0) == gone
    assert gone.register(A, "a:1", 12.0).ring == Ring(4, (A, B))


def test_a_pause_of_the_proxy_gives_everybody_their_time_again(two: Membership) -> None:
    asleep = looks(two, 0.0, 3.0).look(1000.0)
    assert asleep.ring == two.ring
    beating = asleep.heartbeat("a", 1005.0)
    assert looks(beating, 1001.0, 1000.0 + SILENCE_SECONDS).ring == two.ring
    assert looks(beating, 1001.0, 1001.0 + SILENCE_SECONDS).ring == Ring(3, (A,))


def test_after_a_restart_the_ring_goes_on_and_nodes_must_register() -> None:
    restored = Membership.restored(Ring(7, (A, B)), 100.0)
    assert restored.ring == Ring(7, (A, B))
    assert not restored.knows("a")
    back = restored.register(A, "a:1", 101.0)
    assert back.ring == Ring(7, (A, B))
    assert back.knows("a")
    assert looks(back.heartbeat("a", 105.0), 101.0, 111.0).ring == Ring(8, (A,))


def test_heartbeats_come_often_enough() -> None:
    assert HEARTBEAT_SECONDS * 3 < SILENCE_SECONDS
    assert LOOK_SECONDS * 3 < SILENCE_SECONDS
