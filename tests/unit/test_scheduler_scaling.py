"""How many KVS nodes there shall be."""

from __future__ import annotations

import pytest

from wukong.errors import InvalidSetting, LimitExceeded, WukongError
from wukong_scheduler.ecs_service import check_service
from wukong_scheduler.scaling import Scaling, Seen, Sizes


def scaling(usual: int = 2, most: int = 8, idle_seconds: float = 60.0) -> Scaling:
    return Scaling(Sizes(usual, most, 300.0, idle_seconds), 0.0)


@pytest.mark.parametrize(
    ("asked", "answering", "enough"), [(0, 0, False), (0, 1, True), (3, 2, False), (3, 3, True), (3, 4, True)]
)
def test_a_job_begins_with_as_many_nodes_as_it_asks_for_and_with_one_at_least(
    asked: int, answering: int, enough: bool
) -> None:
    assert scaling().enough(asked, Seen(answering, 0)) == enough


@pytest.mark.parametrize(
    ("asked", "wanted", "shall"),
    [
        (0, 0, 2),  # the usual number
        (0, 1, 1),  # they are on their way
        (5, 0, 5),
        (5, 3, 5),
        (3, 5, 5),  # never fewer
    ],
)
def test_a_job_makes_nodes_more_and_never_fewer(asked: int, wanted: int, shall: int) -> None:
    assert scaling().growth(asked, wanted) == shall


def test_the_usual_number_is_no_more_than_the_most() -> None:
    assert scaling(usual=9, most=4).growth(0, 0) == 4


def test_nodes_that_went_long_ago_are_waited_for_until_they_leave_the_ring() -> None:
    assert not scaling().settled(2, Seen(answering=2, silent=1))
    assert scaling().settled(2, Seen(answering=2, silent=0))


def test_more_than_the_most_is_refused_with_the_setting() -> None:
    scaling().check(8)
    with pytest.raises(LimitExceeded, match=r"kvs_nodes is 9, above the limit of 8.*WUKONG_KVS_MAX_NODES"):
        scaling().check(9)


@pytest.mark.parametrize("seen", [Seen(4, 0, keys=0, jobs=1), Seen(4, 0, keys=1, jobs=0)])
def test_a_user_cannot_take_nodes_away_that_are_in_use(seen: Seen) -> None:
    scaling().order(4, 4, seen)
    scaling().order(6, 4, seen)
    with pytest.raises(WukongError, match=r"keeps its 4 nodes: . jobs are not removed, and . keys are in it"):
        scaling().order(3, 4, seen)
    scaling().order(3, 4, Seen(4, 0))
    scaling().order(0, 4, Seen(4, 0))


def test_an_order_is_carried_out_when_there_are_just_so_many() -> None:
    assert not scaling().reached(2, Seen(answering=3, silent=0))
    assert not scaling().reached(2, Seen(answering=2, silent=1))
    assert scaling().reached(2, Seen(answering=2, silent=0))
    assert scaling().reached(0, Seen(answering=3, silent=0))


def test_nodes_are_idle_when_nothing_was_in_use_for_long_enough() -> None:
    found = scaling(idle_seconds=60.0)
    nothing = Seen(2, 0)
    assert not found.idle(nothing, 59.0)
    assert found.idle(nothing, 60.0)
    assert not found.idle(Seen(2, 0, jobs=1), 70.0)
    assert not found.idle(nothing, 129.0)
    assert not found.idle(Seen(2, 0, keys=1), 130.0)
    found.touch(150.0)
    assert not found.idle(nothing, 209.0)
    assert found.idle(nothing, 210.0)


def test_nodes_are_never_idle_by_default() -> None:
    assert not Scaling(Sizes(), 0.0).idle(Seen(1, 0), 1e9)


def test_jobs_without_nodes_are_noticed() -> None:
    assert scaling().stranded(Seen(0, 2, jobs=1))
    assert not scaling().stranded(Seen(1, 1, jobs=1))
    assert not scaling().stranded(Seen(0, 2))


def test_sizes_come_from_the_environment() -> None:
    told = {
        "WUKONG_KVS_NODES": "3",
        "WUKONG_KVS_MAX_NODES": "9",
        "WUKONG_KVS_START_SECONDS": "2.5",
        "WUKONG_KVS_IDLE_SECONDS": "600",
    }
    assert Sizes.read(told) == Sizes(3, 9, 2.5, 600.0)
    assert Sizes.read({}) == Sizes()
    with pytest.raises(InvalidSetting, match="WUKONG_KVS_NODES"):
        Sizes.read({"WUKONG_KVS_NODES": "0"})


def test_a_service_is_named_with_its_cluster() -> None:
    assert check_service("") == ""
    assert check_service("wukong-dev/wukong-dev-kvs") == "wukong-dev/wukong-dev-kvs"
    for name in ("kvs", "a/b/c", "arn:aws:ecs:eu-central-1:1:service/a/b", "a/"):
        with pytest.raises(ValueError, match="must be CLUSTER/SERVICE"):
            check_service(name)
