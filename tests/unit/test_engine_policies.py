"""What each policy answers."""

from __future__ import annotations

from itertools import chain

import pytest

from wukong.engine.policy.careful import Careful
from wukong.engine.policy.groups import MOST_AT_START, contiguous
from wukong.engine.policy.heartbeat import LEAVES_PER_GROUP, Heartbeat
from wukong.engine.policy.named import ABLATIONS, POLICIES, check_policy, policy_named
from wukong.engine.policy.policy import Policy
from wukong.engine.policy.stateless import Stateless
from wukong.engine.policy.without import MECHANISMS, Without
from wukong.engine.policy.wukong2020 import Wukong2020

ALL = [policy_named(name, 0.01, 1000) for name in POLICIES]

every_policy = pytest.mark.parametrize("policy", ALL, ids=list(POLICIES))


def test_policies_have_names_and_the_default_is_the_first() -> None:
    assert list(POLICIES) == ["heartbeat", "wukong2020", "stateless"]
    assert policy_named("heartbeat", 0.25, 7) == Heartbeat(0.25)
    assert policy_named("wukong2020", 0.25, 7) == Wukong2020(7)
    assert policy_named("stateless", 0.25, 7) == Stateless()


@pytest.mark.parametrize("name", ["", "Heartbeat", "pywren"])
def test_an_unknown_name_is_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(ValueError, match=rf"no policy {name!r}.*'heartbeat', 'wukong2020', 'stateless'"):
        check_policy(name)
    with pytest.raises(ValueError, match="no policy"):
        policy_named(name, 0.1, 1)


@every_policy
@pytest.mark.parametrize("leaves", [1, 2, 7, 1000, 3 * LEAVES_PER_GROUP])
@pytest.mark.parametrize("parallelism", [1, 3, 1_000_000])
def test_first_groups_are_all_leaves_in_order_and_no_more_than_allowed(
    policy: Policy, leaves: int, parallelism: int
) -> None:
    tasks = list(range(0, 2 * leaves, 2))
    groups = policy.initial_groups(tasks, parallelism)
    assert list(chain.from_iterable(groups)) == tasks
    assert 1 <= len(groups) <= parallelism
    assert all(groups)


@pytest.mark.parametrize("policy", ALL[1:], ids=list(POLICIES)[1:])
def test_an_executor_is_started_for_each_leaf_as_far_as_one_script_may(policy: Policy) -> None:
    assert policy.initial_groups([4, 7, 9], 10) == [[4], [7], [9]]
    assert len(policy.initial_groups(range(MOST_AT_START + 1), 10**6)) == MOST_AT_START


def test_the_published_policy_keeps_one_child_or_all_that_use_a_large_output() -> None:
    policy = Wukong2020(1000)
    assert [policy.on_fan_out(5, large=False), policy.on_fan_out(1, large=False)] == [1, 1]
    assert policy.on_fan_out(5, large=True) == 5
    assert policy.on_claim(0, large=False)
    assert not policy.on_claim(1, large=False)
    assert policy.on_claim(1, large=True)


def test_a_large_value_is_stored_for_others_after_some_time_and_at_once_without_state() -> None:
    policy = Wukong2020(1000)
    assert [policy.on_not_yet(polled, last=False) for polled in range(7)] == [0.1] * 5 + [None] * 2
    assert [policy.on_not_yet(polled, last=True) for polled in range(11)] == [0.1] * 10 + [None]
    assert Stateless().on_not_yet(0, last=True) is None
    assert [Heartbeat(0.1).on_not_yet(polled, last=False) for polled in range(12)] == [12 * 0.1] * 10 + [None] * 2


def test_without_state_nothing_stays() -> None:
    policy = Stateless()
    assert [policy.on_fan_out(1, False), policy.on_fan_out(9, True)] == [0, 0]
    assert not policy.on_claim(0, False)


@every_policy
def test_who_spreads_at_once_spreads_nothing_on_the_beat(policy: Policy) -> None:
    given = policy.on_beat(waiting=1000, room=9, task_seconds=1.0, aged=True, moving=0.0)
    assert given == (0 if policy.at_once else 9)


@pytest.mark.parametrize(
    ("waiting", "room", "seconds", "aged", "pieces"),
    [(0, 9, 9.0, False, 0), (5, 0, 9.0, True, 0), (5, 9, 0.0, True, 1), (5, 9, 0.0, False, 0), (12, 9, 0.01, False, 4)],
)
def test_a_beat_gives_away_what_is_worth_an_invocation(
    waiting: int, room: int, seconds: float, aged: bool, pieces: int
) -> None:
    assert Heartbeat(0.01).on_beat(waiting, room, seconds, aged, moving=0.5) == pieces


def test_short_tasks_stay_together_where_moving_their_values_would_take_too_long() -> None:
    policy = Heartbeat(0.01)
    assert [policy.on_beat(1000, 9, 0.039, aged, moving=0.51) for aged in (False, True)] == [0, 0]
    assert policy.on_beat(1000, 9, 0.04, aged=False, moving=9.0) == 9


def test_groups_differ_by_one_at_most_and_none_is_empty() -> None:
    assert contiguous([1, 2, 3, 4, 5], 2) == [[1, 2, 3], [4, 5]]
    assert contiguous([1, 2], 5) == [[1], [2]]


@every_policy
def test_a_careful_holder_gives_half_away_where_its_policy_would_not(policy: Policy) -> None:
    careful = Careful(policy)
    assert [careful.on_beat(waiting, 3, 0.0, False, 9.0) for waiting in (0, 1, 2, 100)] == [0, 1, 1, 1]
    assert careful.on_beat(100, 0, 9.0, True, 0.0) == 0
    assert careful.on_beat(100, 30, 9.0, True, 0.0) == max(1, policy.on_beat(100, 30, 9.0, True, 0.0))
    assert careful.lean
    assert not policy.lean
    for name in ("bounded", "at_once", "stores_all", "elides", "delays", "inlines", "large_bytes"):
        assert getattr(careful, name) == getattr(policy, name)
    assert careful.initial_groups(range(9), 4) == policy.initial_groups(range(9), 4)
    assert careful.cut(range(9), 4) == policy.cut(range(9), 4)
    for large in (True, False):
        assert careful.on_fan_out(5, large) == policy.on_fan_out(5, large)
        assert careful.on_claim(5, large) == policy.on_claim(5, large)
        assert careful.on_not_yet(2, large) == policy.on_not_yet(2, large)


def answers(policy: Policy) -> dict[str, object]:
    """What tells two policies apart."""
    names = ("bounded", "at_once", "stores_all", "lean", "large_bytes", "elides", "delays", "inlines")
    return {name: getattr(policy, name) for name in names} | {
        "initial_groups": policy.initial_groups(range(9), 4),
        "on_beat": policy.on_beat(100, 9, 1.0, True, 0.0),
        "cut": [list(piece) for piece in policy.cut(range(5), 2)],
        "on_fan_out": [policy.on_fan_out(5, large) for large in (False, True)],
        "on_claim": [policy.on_claim(5, large) for large in (False, True)],
        "on_not_yet": [policy.on_not_yet(0, last) for last in (False, True)],
    }


@pytest.mark.parametrize(
    ("name", "lacking"),
    [
        ("heartbeat without local-fan-in", {"elides": False}),
        ("heartbeat without delayed-io", {"delays": False, "on_not_yet": [None, None]}),
        ("heartbeat without clustering", {"cut": [[0, 2, 4], [1, 3]]}),
        ("heartbeat without inlining", {"inlines": False}),
        ("heartbeat without beat", {"on_beat": 0}),
        ("wukong2020 without local-fan-in", {"elides": False}),
        ("wukong2020 without delayed-io", {"delays": False, "on_not_yet": [None, None]}),
        (
            "wukong2020 without clustering",
            {"cut": [[0, 2, 4], [1, 3]], "on_fan_out": [1, 1], "on_claim": [False, False]},
        ),
        ("wukong2020 without inlining", {"inlines": False}),
    ],
)
def test_a_policy_without_a_mechanism_differs_in_nothing_else(name: str, lacking: dict[str, object]) -> None:
    base = name.partition(" ")[0]
    assert answers(policy_named(name, 0.01, 1000)) == answers(policy_named(base, 0.01, 1000)) | lacking


def test_each_policy_can_be_without_each_of_its_mechanisms() -> None:
    assert {name: [f"{name} without {lacks}" for lacks in MECHANISMS[name]] for name in MECHANISMS} == {
        name: [ablation for ablation in ABLATIONS if ablation.startswith(name)] for name in ("heartbeat", "wukong2020")
    }
    for name in ABLATIONS:
        assert check_policy(name) == name
        assert isinstance(policy_named(name, 0.1, 1), Without)


@pytest.mark.parametrize("lacks", ["beat", "wings", "inlining without clustering"])
def test_a_mechanism_that_a_policy_does_not_have_is_refused_with_those_that_it_has(lacks: str) -> None:
    with pytest.raises(ValueError, match=rf"'wukong2020' has no mechanism '{lacks}'.*'local-fan-in', 'delayed-io'"):
        check_policy(f"wukong2020 without {lacks}")


def test_a_policy_without_mechanisms_is_refused_like_one_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="there is no policy 'stateless without inlining'"):
        check_policy("stateless without inlining")
