"""What the walk does not do at once under the default policy, and when it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from tests.unit.test_walk import OnePage, dropped, run

from wukong.engine.cuts import LOOK, VALUE_SECONDS
from wukong.engine.instructions import Arrivals, Edge, Report, ReportAnswer, RunTask, Store
from wukong.engine.patience import ALONE_BEATS, Patience
from wukong.engine.policy.careful import Careful
from wukong.engine.policy.heartbeat import BEATS_PER_POLL, POLLS, Heartbeat
from wukong.engine.policy.policy import Policy
from wukong.engine.policy.wukong2020 import POLL_SECONDS, Wukong2020
from wukong.engine.walk import Walk

#: A beat is four times what an invocation costs.
POLICY, BEAT = Heartbeat(0.25), 1.0

#: Three leaves; the first is half of a fan-in whose other half is somebody else's.
BUSY = OnePage([[], [], [], [], [0, 3]], frozenset({1, 2, 4}))

OFFER = Report([Arrivals(4, 2, [Edge(0, 0, None)])], [], end=False)
NOT_YET = ReportAnswer(4, "N", [], [0], [])


def walk_over(page: OnePage, entries: list[int], policy: Policy = POLICY, room: int = 3) -> Walk:
    walk = Walk(policy, [0], BEAT, room)
    walk.begin(entries)
    walk.pages_loaded([page])
    return walk


# Alone.


def test_an_executor_that_is_alone_reports_what_arrived_many_beats_later() -> None:
    walk = walk_over(BUSY, [0, 1, 2])
    assert run(walk) == 0
    assert walk.background((ALONE_BEATS - 1) * BEAT, 0.0, tick=False) is None
    assert walk.background(ALONE_BEATS * BEAT, 0.0, tick=False) == OFFER


def test_an_executor_that_is_alone_tells_of_results_and_of_what_it_runs_on_the_beat() -> None:
    walk = walk_over(BUSY, [0, 1, 2], room=0)
    assert [run(walk), run(walk)] == [0, 1]
    assert walk.background(BEAT, 0.0, tick=False) == Report([], [(1, None)], end=False)
    walk.reported([1], [], room=0, ended=False)
    assert walk.background(2 * BEAT, 0.0, tick=True) == Report([], [], end=False)


def test_what_arrived_is_reported_as_soon_as_somebody_else_runs() -> None:
    walk = walk_over(BUSY, [0, 1, 2])
    assert run(walk) == 0
    assert walk.background(2 * BEAT, 0.0, tick=False) is None
    walk.reported([], [], room=2, ended=False)
    assert walk.background(2 * BEAT, 0.0, tick=False) == OFFER


@pytest.mark.parametrize("policy", [POLICY, Careful(POLICY)], ids=["crowded", "careful"])
def test_where_memory_matters_nothing_waits_longer_than_a_beat(policy: Policy) -> None:
    patience = Patience(policy, BEAT, others=3)
    if policy is POLICY:
        patience.memory(used=501, limit=1000)
    assert patience.since(100.0, room=3) == 100.0 - BEAT


@pytest.mark.parametrize(("used", "limit"), [(500, 1000), (10**12, 0)])
def test_memory_does_not_matter_up_to_half_of_it_or_where_its_limit_is_not_known(used: int, limit: int) -> None:
    patience = Patience(POLICY, BEAT, others=3)
    patience.memory(used, limit)
    assert patience.since(100.0, room=3) == 100.0 - ALONE_BEATS * BEAT


def test_an_executor_that_is_alone_reports_everything_when_it_has_nothing_to_do() -> None:
    walk = walk_over(BUSY, [0])
    assert run(walk) == 0
    assert walk.next(0.0) == Report([Arrivals(4, 2, [Edge(0, 0, None)])], [], end=True)


# Large values.


def offered(large: Sequence[int] = (0,), room: int = 0, crowded: bool = False) -> Walk:
    """A walk that runs task 1, and has just offered the value of 0 to a fan-in that others will complete."""
    walk = walk_over(BUSY, [0, 1, 2])
    assert run(walk) == 0
    walk.reported([], [], room=2, ended=False)
    assert walk.next(0.0) == RunTask(1, [])
    assert walk.background(BEAT, 0.0, tick=False) == OFFER
    walk.patience.memory(used=900 if crowded else 100, limit=1000)
    walk.reported([], [NOT_YET], room=room, ended=False, large=large)
    return walk


def test_a_large_value_is_not_stored_while_all_executors_are_at_work() -> None:
    walk, now = offered(), BEAT
    for _ in range(POLLS):
        pause = (BEATS_PER_POLL + 1) * BEAT  # what waits is asked about when it is a beat late
        assert walk.background(now + pause - 0.1, 0.0, tick=False) is None
        now += pause
        assert walk.background(now, 0.0, tick=False) == OFFER
        walk.reported([], [NOT_YET], room=0, ended=False, large=[0])
    assert walk.background(now, 0.0, tick=False) == Store([0], [])


def test_what_waits_to_be_asked_about_again_holds_up_nothing_else() -> None:
    page = OnePage([[], [], [], [], [0, 3], [1, 3]], frozenset({2, 4, 5}))
    walk = walk_over(page, [0, 1, 2])
    assert run(walk) == 0
    walk.reported([], [], room=2, ended=False)
    assert walk.background(BEAT, 0.0, tick=False) == OFFER
    walk.reported([], [NOT_YET], room=0, ended=False, large=[0])
    assert run(walk, now=BEAT) == 1
    assert walk.background(2 * BEAT, 0.0, tick=False) == Report([Arrivals(5, 2, [Edge(0, 1, None)])], [], end=False)


def test_a_large_value_never_has_to_be_stored_where_its_fan_in_becomes_complete_meanwhile() -> None:
    walk = offered()
    assert walk.background(5 * BEAT, 0.0, tick=False) == OFFER
    walk.reported([], [ReportAnswer(4, "C", [], [0], [(1, b"there")])], room=0, ended=False, large=[0])
    walk.task_finished(1, 0.01, 5 * BEAT)
    assert 0 not in dropped(walk)


@pytest.mark.parametrize(
    "make",
    [lambda: offered(large=()), lambda: offered(room=1), lambda: offered(crowded=True)],
    ids=["a small value", "room for an executor", "memory fills up"],
)
def test_otherwise_a_value_is_stored_at_once(make: Callable[[], Walk]) -> None:
    assert make().background(BEAT, 0.0, tick=False) == Store([0], [])


def test_an_executor_with_nothing_else_to_do_stores_at_once() -> None:
    walk = offered()
    walk.task_finished(1, 0.01, BEAT)
    assert run(walk) == 2
    assert walk.next(2 * BEAT) == Report([*OFFER.arrivals], [(1, None), (2, None)], end=True)
    walk.reported([1, 2], [NOT_YET], room=0, ended=False, large=[0])
    assert walk.next(2 * BEAT) == Store([0], [])


def test_a_policy_that_waits_for_no_beat_asks_again_whoever_is_idle() -> None:
    patience = Patience(Wukong2020(1000), BEAT, others=3)
    assert patience.pause(0, last=False, large=True, idle=True) == POLL_SECONDS
    assert patience.pause(0, last=False, large=False, idle=True) is None


# What it takes to move values.


@dataclass(frozen=True)
class Asked(Heartbeat):
    """Notes what it is told of moving values."""

    moving: list[float] = field(default_factory=list)

    def on_beat(self, waiting: int, room: int, task_seconds: float, aged: bool, moving: float) -> int:
        self.moving.append(moving)
        return 0


def moving(page: OnePage, entries: list[int], runs: int) -> float:
    """What the policy is told after so many tasks of 10 ms."""
    policy = Asked(0.25)
    walk = walk_over(page, entries, policy)
    for _ in range(runs):
        run(walk)
    walk.background(BEAT / 2, 0.0, tick=True)
    (told,) = policy.moving
    return told


def test_values_that_wait_for_others_count_against_giving_work_away() -> None:
    page = OnePage([*([] for _ in range(8)), list(range(8))], frozenset({8}))
    assert moving(page, list(range(8)), runs=5) == pytest.approx(5 * VALUE_SECONDS / (5 * 0.01 + 0.01))


def test_results_that_wait_to_be_committed_do_not_count() -> None:
    page = OnePage([[] for _ in range(8)], frozenset(range(8)))
    assert moving(page, list(range(8)), runs=5) == 0.0


def test_what_the_oldest_tasks_need_counts_against_giving_them_away() -> None:
    many = LOOK + 50
    page = OnePage([[], *([0] for _ in range(many))], frozenset(range(1, many + 1)))
    assert moving(page, [0], runs=1) == pytest.approx(VALUE_SECONDS / 0.02)  # one value here, used by all
    page = OnePage([[], [], [], [0, 1, 2], [0, 1, 2]], frozenset({3, 4}))
    assert moving(page, [0, 1, 2], runs=3) == pytest.approx(3 * VALUE_SECONDS / (2 * 0.01))


def test_nothing_counts_before_it_is_known_how_long_tasks_take() -> None:
    assert moving(BUSY, [0, 1, 2], runs=0) == 0.0
