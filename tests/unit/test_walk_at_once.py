"""The walk under policies that do not wait for a beat, instruction by instruction."""

from __future__ import annotations

import pytest
from tests.unit.test_walk import PAIR, OnePage, dropped

from wukong.engine.instructions import (
    Arrivals,
    Edge,
    Fetch,
    FetchMarks,
    FetchPages,
    Offload,
    Piece,
    Report,
    ReportAnswer,
    RunTask,
    Stop,
    Store,
    Wait,
)
from wukong.engine.policy.heartbeat import Heartbeat
from wukong.engine.policy.policy import Policy
from wukong.engine.policy.stateless import Stateless
from wukong.engine.policy.without import Without
from wukong.engine.policy.wukong2020 import POLL_SECONDS, POLLS, Wukong2020
from wukong.engine.walk import PIECES_AT_ONCE, Walk

PUBLISHED = Wukong2020(1000)
POLL = POLL_SECONDS

FORK = OnePage([[], [0], [0], [0]], frozenset({1, 2, 3}))


def walk_over(policy: Policy, page: OnePage, entries: list[int], room: int = 9, **begin: object) -> Walk:
    walk = Walk(policy, [0], beat=10.0, room=room)
    walk.begin(entries, **begin)  # type: ignore[arg-type]
    walk.pages_loaded([page])
    return walk


def run(walk: Walk, large: bool = False, now: float = 0.0) -> int:
    instruction = walk.next(now)
    assert type(instruction) is RunTask
    walk.task_finished(instruction.task, 0.01, now, large)
    return instruction.task


# The published policy.


def test_a_fan_out_becomes_one_child_and_gives_each_other_one_away_before_it_runs() -> None:
    walk = walk_over(PUBLISHED, FORK, [0])
    assert run(walk) == 0
    assert walk.next(0.0) == Offload(1, [Piece([2], [(0, None)]), Piece([3], [(0, None)])])
    walk.offloaded(1, 2, [])
    assert run(walk) == 1
    assert dropped(walk) == [0]
    assert walk.next(0.0) == Report([], [(1, None)], end=True)


def test_all_children_of_a_large_output_run_where_it_is() -> None:
    walk = walk_over(PUBLISHED, FORK, [0])
    assert run(walk, large=True) == 0
    assert [run(walk), run(walk), run(walk)] == [1, 2, 3]
    assert walk.next(0.0) == Report([], [(1, None), (2, None), (3, None)], end=True)


def test_a_fan_in_is_reported_before_the_next_task_runs() -> None:
    walk = walk_over(PUBLISHED, OnePage([[], [], [0, 1], [0]], frozenset({2, 3})), [0])
    run(walk)
    assert walk.next(0.0) == Report([Arrivals(2, 2, [Edge(0, 0, None)])], [], end=False)
    walk.reported([], [ReportAnswer(2, "N", [0], [], [])], room=9, ended=False)
    assert run(walk) == 3


def test_a_fan_in_that_is_claimed_beside_a_child_gets_an_executor_of_its_own() -> None:
    walk = walk_over(PUBLISHED, OnePage([[], [], [0, 1], [0]], frozenset({2, 3})), [0])
    run(walk)
    walk.next(0.0)
    walk.reported([], [ReportAnswer(2, "C", [], [0], [(1, b"there")])], room=9, ended=False)
    assert walk.next(0.0) == Offload(1, [Piece([2], [(0, None), (1, b"there")])])
    walk.offloaded(1, 1, [(0, b"here")])
    assert run(walk) == 3
    assert sorted(dropped(walk)) == [0]


def test_a_claimed_fan_in_stays_with_who_has_nothing_else_or_a_large_input() -> None:
    walk = walk_over(PUBLISHED, PAIR, [0])
    run(walk)
    walk.next(0.0)
    walk.reported([], [ReportAnswer(2, "C", [], [0], [(1, b"there")])], room=9, ended=False)
    assert walk.next(0.0) == Fetch([(1, b"there")])
    walk = walk_over(PUBLISHED, OnePage([[], [], [0, 1], [0]], frozenset({2, 3})), [0])
    run(walk, large=True)
    walk.next(0.0)
    walk.reported([], [ReportAnswer(2, "C", [], [0], [(1, b"there")])], room=9, ended=False)
    assert walk.next(0.0) == Fetch([(1, b"there")])


@pytest.mark.parametrize(("task", "polls"), [(0, POLLS), (1, 2 * POLLS)])
def test_a_large_output_waits_for_its_fan_in_and_is_stored_after_the_last_time_of_asking(task: int, polls: int) -> None:
    """Whoever has the last edge waits for longer."""
    walk = walk_over(PUBLISHED, PAIR, [task])
    run(walk, large=True)
    asked = Report([Arrivals(2, 2, [Edge(task, task, None)])], [], end=True)
    for time in range(polls):
        now = time * POLL
        assert walk.next(now) == asked
        walk.reported([], [ReportAnswer(2, "N", [], [task], [])], room=9, ended=False)
        wait = walk.next(now)
        assert type(wait) is Wait
        assert wait.seconds is not None
        assert 0 < wait.seconds < 1.01 * POLL
    now = polls * POLL + 0.001
    assert walk.next(now) == asked
    walk.reported([], [ReportAnswer(2, "N", [], [task], [])], room=9, ended=False)
    assert walk.next(now) == Store([task], [])
    walk.stored([(task, b"place")])
    assert walk.next(now) == Report([Arrivals(2, 2, [Edge(task, task, b"place")])], [], end=True)
    walk.reported([], [ReportAnswer(2, "N", [task], [], [])], room=9, ended=True)
    assert dropped(walk) == [task]
    assert walk.next(now) == Stop()


def test_a_large_output_is_never_stored_when_the_others_arrive_meanwhile() -> None:
    walk = walk_over(PUBLISHED, PAIR, [0])
    run(walk, large=True)
    walk.next(0.0)
    walk.reported([], [ReportAnswer(2, "N", [], [0], [])], room=9, ended=False)
    assert type(walk.next(0.0)) is Wait
    assert type(walk.next(POLL)) is Report
    walk.reported([], [ReportAnswer(2, "C", [], [0], [(1, b"there")])], room=9, ended=False)
    assert walk.next(POLL) == Fetch([(1, b"there")])


def test_clustered_work_runs_while_a_fan_in_waits_and_its_arrival_is_asked_about_at_once() -> None:
    page = OnePage([[], [0], [], [0, 1, 2]], frozenset({3}))
    walk = walk_over(PUBLISHED, page, [0])
    run(walk, large=True)
    assert walk.next(0.0) == Report([Arrivals(3, 3, [Edge(0, 0, None)])], [], end=False)
    walk.reported([], [ReportAnswer(3, "N", [], [0], [])], room=9, ended=False)
    assert run(walk, now=0.0) == 1
    assert walk.next(0.0) == Report([Arrivals(3, 3, [Edge(0, 0, None), Edge(1, 1, None)])], [], end=True)


def test_what_is_not_large_is_stored_at_once() -> None:
    walk = walk_over(PUBLISHED, PAIR, [0])
    run(walk)
    walk.next(0.0)
    walk.reported([], [ReportAnswer(2, "N", [], [0], [])], room=9, ended=False)
    assert walk.next(0.0) == Store([0], [])


def test_the_beat_asks_again_while_a_task_runs() -> None:
    page = OnePage([[], [], [0, 1], [0]], frozenset({2, 3}))
    walk = walk_over(PUBLISHED, page, [0])
    run(walk, large=True)
    walk.next(0.0)
    walk.reported([], [ReportAnswer(2, "N", [], [0], [])], room=9, ended=False)
    assert walk.next(0.0) == RunTask(3, [0])
    assert walk.background(POLL / 2, POLL / 2, tick=True) is None
    assert walk.background(POLL, POLL, tick=True) == Report([Arrivals(2, 2, [Edge(0, 0, None)])], [], end=False)


def test_a_fan_in_that_is_claimed_while_a_task_runs_is_given_away_by_the_beats_thread() -> None:
    walk = walk_over(PUBLISHED, OnePage([[], [], [0, 1], [0]], frozenset({2, 3})), [0])
    assert walk.next(0.0) == RunTask(0, [])
    assert walk.background(10.0, 10.0, tick=True) == Report([], [], end=False)
    walk.task_finished(0, 10.0, 10.0)
    assert walk.next(10.0) == RunTask(3, [0])
    walk.reported([], [], room=9, ended=False)
    assert walk.background(10.0, 0.0, tick=False) == Report([Arrivals(2, 2, [Edge(0, 0, None)])], [], end=False)
    walk.reported([], [ReportAnswer(2, "C", [], [0], [(1, b"there")])], room=9, ended=False)
    assert walk.background(10.0, 0.0, tick=False) == Offload(1, [Piece([2], [(0, None), (1, b"there")])])


def test_what_nobody_takes_runs_here_smallest_first_and_is_offered_again_when_there_is_room() -> None:
    walk = walk_over(PUBLISHED, OnePage([[], [0], [0], [0], [0]], frozenset({1, 2, 3, 4})), [0])
    run(walk)
    assert len(walk.next(0.0).pieces) == 3  # type: ignore[union-attr]
    walk.offloaded(1, 1, [])
    assert [run(walk), run(walk)] == [1, 3]
    assert walk.background(11.0, 0.0, tick=True) == Report([], [(1, None), (3, None)], end=False)
    walk.reported([1, 3], [], room=1, ended=False)
    assert walk.next(11.0) == Offload(2, [Piece([4], [(0, None)])])


def test_the_leaves_of_a_bounded_start_are_given_away_too_as_far_as_there_is_room() -> None:
    walk = walk_over(PUBLISHED, OnePage([[], [], []], frozenset({0, 1, 2})), [0, 1, 2], room=1)
    assert walk.next(0.0) == Offload(1, [Piece([2], [])])
    walk.offloaded(1, 0, [])
    assert [run(walk), run(walk), run(walk)] == [0, 1, 2]


def test_a_wide_fan_out_is_given_away_in_limited_steps() -> None:
    children = 2 * PIECES_AT_ONCE + 1
    page = OnePage([[], *([0] for _ in range(children))], frozenset(range(1, children + 1)))
    walk = walk_over(PUBLISHED, page, [0], room=children)
    run(walk)
    for sequence in (1, 2):
        offload = walk.next(0.0)
        assert type(offload) is Offload
        assert len(offload.pieces) == PIECES_AT_ONCE
        walk.offloaded(sequence, PIECES_AT_ONCE, [])
    assert run(walk) == 1


def test_the_pages_of_what_is_given_away_are_fetched_first() -> None:
    dependencies: list[list[int]] = [[], [0], [0]]
    walk = Walk(PUBLISHED, [0, 2], beat=1.0, room=3)
    walk.begin([0])
    walk.pages_loaded([OnePage(dependencies, frozenset({1, 2}))])
    run(walk)
    assert walk.next(0.0) == FetchPages([1])
    walk.pages_loaded([OnePage(dependencies, frozenset(), first=2)])
    assert walk.next(0.0) == Offload(1, [Piece([2], [(0, None)])])


def test_a_later_holder_gives_nothing_away_before_the_claims_of_the_former_one() -> None:
    page = OnePage([[], [0], [0], [], [0, 3]], frozenset({1, 2, 4}))
    walk = walk_over(PUBLISHED, page, [0], claims=[4])
    assert [run(walk), run(walk), run(walk)] == [0, 1, 2]
    assert walk.next(0.0) == Report([], [(1, None), (2, None)], end=False)
    walk.reported([1, 2], [], room=9, ended=False)
    assert walk.next(0.0) == FetchMarks(4, [1])


# One invocation for each task.


def test_without_state_a_value_is_stored_and_its_child_given_away_with_the_mark() -> None:
    walk = walk_over(Stateless(), OnePage([[], [0]], frozenset({1})), [0])
    run(walk)
    assert walk.next(0.0) == Store([0], [])
    walk.stored([(0, b"place")])
    assert walk.next(0.0) == Report([], [], end=False)  # what ran and what it printed, before others end the job
    walk.reported([], [], room=9, ended=False)
    assert walk.next(0.0) == Offload(1, [Piece([1], [(0, b"place")])])
    walk.offloaded(1, 1, [])
    assert dropped(walk) == [0]
    assert walk.next(0.0) == Report([], [], end=True)


def test_without_state_a_fan_in_is_marked_after_the_write_and_a_claimed_one_given_away_with_all_marks() -> None:
    walk = walk_over(Stateless(), PAIR, [0])
    run(walk)
    assert walk.next(0.0) == Store([0], [])
    walk.stored([(0, b"here")])
    assert walk.next(0.0) == Report([Arrivals(2, 2, [Edge(0, 0, b"here")])], [], end=True)
    walk.reported([], [ReportAnswer(2, "C", [0], [], [(1, b"there")])], room=9, ended=False)
    assert walk.next(0.0) == Offload(1, [Piece([2], [(0, b"here"), (1, b"there")])])
    walk.offloaded(1, 1, [])
    assert dropped(walk) == [0]
    assert walk.next(0.0) == Report([], [], end=True)


def test_without_state_the_marks_of_a_wide_claim_are_read_before_it_is_given_away() -> None:
    walk = walk_over(Stateless(), PAIR, [0])
    run(walk)
    walk.next(0.0)
    walk.stored([(0, b"here")])
    walk.next(0.0)
    walk.reported([], [ReportAnswer(2, "C", [0], [], None)], room=9, ended=False)
    assert walk.background(1.0, 0.0, tick=False) is None  # the main thread reads them
    assert walk.next(0.0) == FetchMarks(2, [1])
    walk.marks_read(2, [(1, b"there")])
    assert walk.next(0.0) == Offload(1, [Piece([2], [(0, b"here"), (1, b"there")])])


def test_without_state_a_result_is_committed_with_the_place_of_its_value() -> None:
    walk = walk_over(Stateless(), OnePage([[], [0]], frozenset({0, 1})), [0])
    run(walk)
    walk.next(0.0)
    walk.stored([(0, b"place")])
    assert walk.next(0.0) == Report([], [], end=False)
    walk.reported([], [], room=9, ended=False)
    walk.next(0.0)
    walk.offloaded(1, 1, [])
    assert walk.next(0.0) == Report([], [(0, b"place")], end=True)


def test_without_state_and_room_all_runs_here_and_is_stored_all_the_same() -> None:
    walk = walk_over(Stateless(), FORK, [0], room=0)
    run(walk)
    assert walk.next(0.0) == Store([0], [])
    walk.stored([(0, b"place")])
    assert [run(walk), run(walk), run(walk)] == [1, 2, 3]
    assert walk.next(0.0) == Report([], [(1, None), (2, None), (3, None)], end=True)


# The default policy, without one of its mechanisms.


def test_without_delayed_io_an_arrival_is_reported_before_the_next_task_runs_and_leaves_stay() -> None:
    walk = walk_over(Without(Heartbeat(1.0), "delayed-io"), PAIR, [0, 1])
    assert run(walk) == 0
    assert walk.next(0.0) == Report([Arrivals(2, 2, [Edge(0, 0, None)])], [], end=False)
    walk.reported([], [ReportAnswer(2, "N", [0], [], [])], room=9, ended=False, marks=[(0, b"place")])
    assert dropped(walk) == [0]
    assert run(walk) == 1
    assert walk.next(0.0) == Report([Arrivals(2, 2, [Edge(1, 1, None)])], [], end=True)
    walk.reported([], [ReportAnswer(2, "C", [1], [], [(0, b"place")])], room=9, ended=False, marks=[(1, b"other")])
    assert walk.next(0.0) == Fetch([(0, b"place")])


def test_without_delayed_io_a_value_is_stored_once_for_all_its_fan_ins() -> None:
    page = OnePage([[], [], [], [0, 1], [0, 2]], frozenset({3, 4}))
    walk = walk_over(Without(Heartbeat(1.0), "delayed-io"), page, [0])
    run(walk)
    both = [Arrivals(4, 2, [Edge(0, 0, None)]), Arrivals(3, 2, [Edge(0, 0, None)])]
    report = walk.next(0.0)
    assert type(report) is Report
    assert sorted(report.arrivals) == sorted(both)
    # Another holder of an edge made one of the two known again: it is reported with the mark.
    walk.reported([], [ReportAnswer(4, "N", [0], [], [])], room=9, ended=False, marks=[(0, b"place")])
    again = walk.next(0.0)
    assert again == Report([Arrivals(3, 2, [Edge(0, 0, b"place")])], [], end=True)


def test_without_delayed_io_a_beat_gives_away_as_ever_and_what_nobody_takes_waits_as_ever() -> None:
    leaves = OnePage([[], [], [], []], frozenset({0, 1, 2, 3}))
    walk = walk_over(Without(Heartbeat(0.1), "delayed-io"), leaves, [0, 1, 2, 3])
    assert walk.next(0.0) == RunTask(0, [])
    offload = walk.background(1.0, 1.0, tick=True)
    assert type(offload) is Offload
    assert [piece.entries for piece in offload.pieces] == [[1], [2], [3]]
    walk.offloaded(offload.sequence, 1, [])
    walk.task_finished(0, 1.0, 1.0)
    assert [run(walk, now=1.0), run(walk, now=1.0)] == [2, 3]


def test_without_local_fan_in_what_is_complete_here_is_reported_when_nothing_else_is_left() -> None:
    walk = walk_over(Without(Heartbeat(1.0), "local-fan-in"), PAIR, [0, 1])
    assert [run(walk), run(walk)] == [0, 1]
    assert walk.next(0.0) == Report([Arrivals(2, 2, [Edge(0, 0, None), Edge(1, 1, None)])], [], end=True)
    walk.reported([], [ReportAnswer(2, "C", [], [0, 1], [])], room=9, ended=False)
    assert walk.next(0.0) == RunTask(2, [0, 1])


def test_without_local_fan_in_what_arrives_during_a_report_is_reported_again() -> None:
    walk = walk_over(Without(Heartbeat(1.0), "local-fan-in"), PAIR, [0, 1])
    walk.reported([], [], room=8, ended=False)
    run(walk)
    assert walk.next(0.0) == RunTask(1, [])
    report = walk.background(20.0, 20.0, tick=True)
    assert report == Report([Arrivals(2, 2, [Edge(0, 0, None)])], [], end=False)
    walk.task_finished(1, 20.0, 20.0)
    walk.reported([], [ReportAnswer(2, "N", [], [0], [])], room=9, ended=False)
    assert walk.next(20.0) == Store([0], [])
    walk.stored([(0, b"place")])
    assert walk.next(20.0) == Report([Arrivals(2, 2, [Edge(0, 0, b"place"), Edge(1, 1, None)])], [], end=True)
    walk.reported([], [ReportAnswer(2, "C", [0], [1], [])], room=9, ended=False)
    assert walk.next(20.0) == RunTask(2, [0, 1])
