"""The walk, instruction by instruction: what it is told, and what it says to do."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from wukong.engine.instructions import (
    Arrivals,
    Edge,
    Fetch,
    FetchMarks,
    FetchPages,
    Offload,
    Piece,
    Renew,
    Report,
    ReportAnswer,
    RunTask,
    Stop,
    Store,
    Wait,
)
from wukong.engine.policy.heartbeat import Heartbeat
from wukong.engine.walk import Walk


@dataclass
class OnePage:
    """A whole small graph as one page, from its dependencies."""

    dependencies: list[list[int]]
    sinks: frozenset[int]
    inputs: dict[int, bytes] = field(default_factory=dict)
    first: int = 0

    def deps(self, task: int) -> list[int]:
        return self.dependencies[task]

    def out(self, task: int) -> list[tuple[int, int, int]]:
        return [(child, deps.index(task), len(deps)) for child, deps in enumerate(self.dependencies) if task in deps]


@dataclass(frozen=True)
class Always(Heartbeat):
    """A policy that cuts a fixed number of pieces on each beat."""

    pieces: int = 0
    asked: list[tuple[int, int, float, bool]] = field(default_factory=list)

    def on_beat(self, waiting: int, room: int, task_seconds: float, aged: bool, moving: float) -> int:
        self.asked.append((waiting, room, task_seconds, aged))
        return min(self.pieces, waiting)


def walk_over(page: OnePage, entries: list[int], pieces: int = 0, **begin: object) -> Walk:
    """A walk over the page in a job that has another executor, too, and may have two more."""
    walk = Walk(Always(1.0, pieces), [0], beat=1.0, room=3)
    walk.begin(entries, **begin)  # type: ignore[arg-type]
    walk.pages_loaded([page])
    walk.reported([], [], room=2, ended=False)
    return walk


def run(walk: Walk, now: float = 0.0) -> int:
    """Let the walk run its next task; returns which it was."""
    instruction = walk.next(now)
    assert type(instruction) is RunTask
    walk.task_finished(instruction.task, 0.01, now)
    return instruction.task


def dropped(walk: Walk) -> list[int]:
    tasks = list(walk.dropped)
    walk.dropped.clear()
    return tasks


DIAMOND = OnePage([[], [0], [0], [1, 2]], frozenset({3}))
PAIR = OnePage([[], [], [0, 1]], frozenset({2}))


def test_a_chain_runs_without_any_store_and_drops_what_is_used() -> None:
    walk = walk_over(OnePage([[], [0], [1]], frozenset({2})), [0])
    assert walk.next(0) == RunTask(0, [])
    walk.task_finished(0, 0.1, 0)
    assert walk.next(0) == RunTask(1, [0])
    walk.task_finished(1, 0.1, 0)
    assert dropped(walk) == [0]
    assert walk.next(0) == RunTask(2, [1])
    walk.task_finished(2, 0.1, 0)
    assert dropped(walk) == [1]
    assert walk.next(0) == Report([], [(2, None)], end=True)
    walk.reported([2], [], room=0, ended=True)
    assert dropped(walk) == [2]
    assert walk.next(0) == Stop()


def test_the_page_of_the_next_task_is_fetched_first() -> None:
    walk = Walk(Always(1.0), [0, 10, 20], beat=1.0, room=1)
    walk.begin([3, 12, 25])
    assert walk.next(0) == FetchPages([0, 1, 2])


def test_a_fan_in_with_all_parents_here_runs_with_no_report() -> None:
    walk = walk_over(DIAMOND, [0])
    assert [run(walk) for _ in range(4)] == [0, 1, 2, 3]
    assert walk.next(0) == Report([], [(3, None)], end=True)


def test_the_smallest_of_several_children_runs_first() -> None:
    walk = walk_over(OnePage([[], [0], [0], [0]], frozenset({1, 2, 3})), [0])
    assert [run(walk) for _ in range(4)] == [0, 1, 2, 3]


def test_an_incomplete_fan_in_is_reported_when_dry_and_the_walk_ends_if_it_was_marked() -> None:
    walk = walk_over(PAIR, [0])
    run(walk)
    assert walk.next(0) == Report([Arrivals(2, 2, [Edge(0, 0, None)])], [], end=True)
    walk.reported([], [ReportAnswer(2, "N", [0], [], [])], room=0, ended=True)
    assert dropped(walk) == [0]
    assert walk.next(0) == Stop()


def test_a_large_value_is_stored_only_after_not_yet_and_then_marked() -> None:
    walk = walk_over(PAIR, [0])
    run(walk)
    walk.next(0)
    walk.reported([], [ReportAnswer(2, "N", [], [0], [])], room=0, ended=False)
    assert walk.next(0) == Store([0], [])
    walk.stored([(0, b"place")])
    assert dropped(walk) == []
    assert walk.next(0) == Report([Arrivals(2, 2, [Edge(0, 0, b"place")])], [], end=True)


def test_values_for_one_fan_in_are_stored_together() -> None:
    walk = walk_over(OnePage([[], [], [], [0, 1, 2], [1]], frozenset({3, 4})), [0, 1])
    assert [run(walk) for _ in range(3)] == [0, 1, 4]
    report = walk.next(0)
    assert report == Report([Arrivals(3, 3, [Edge(0, 0, None), Edge(1, 1, None)])], [(4, None)], end=True)
    walk.reported([4], [ReportAnswer(3, "N", [], [0, 1], [])], room=0, ended=False)
    assert walk.next(0) == Store([0, 1], [[0, 1]])


def test_a_claimed_fan_in_runs_here_and_its_other_inputs_are_fetched() -> None:
    walk = walk_over(PAIR, [1])
    run(walk)
    assert walk.next(0) == Report([Arrivals(2, 2, [Edge(1, 1, None)])], [], end=True)
    walk.reported([], [ReportAnswer(2, "C", [], [1], [(0, b"there")])], room=0, ended=False)
    assert walk.next(0) == Fetch([(0, b"there")])
    walk.fetched([0])
    assert walk.next(0) == RunTask(2, [0, 1])
    walk.task_finished(2, 0.1, 0)
    assert sorted(dropped(walk)) == [0, 1]


def test_the_marks_of_a_wide_claim_are_read_first() -> None:
    walk = walk_over(PAIR, [1])
    run(walk)
    walk.next(0)
    walk.reported([], [ReportAnswer(2, "C", [], [1], None)], room=0, ended=False)
    assert walk.next(0) == FetchMarks(2, [0])
    walk.marks_read(2, [(0, b"there")])
    assert walk.next(0) == Fetch([(0, b"there")])


def test_a_taken_fan_in_is_forgotten() -> None:
    walk = walk_over(PAIR, [0])
    run(walk)
    walk.next(0)
    walk.reported([], [ReportAnswer(2, "T", [0], [], [])], room=0, ended=True)
    assert dropped(walk) == [0]


def test_a_fan_in_is_reported_in_the_background_once_it_is_a_beat_old() -> None:
    walk = walk_over(OnePage([[], [], [], [0, 1]], frozenset({2, 3})), [0, 2])
    run(walk, now=0.0)
    assert walk.background(0.5, 0.0, tick=False) is None
    assert walk.background(1.0, 0.0, tick=False) == Report([Arrivals(3, 2, [Edge(0, 0, None)])], [], end=False)
    assert run(walk, now=1.0) == 2
    assert walk.next(1.0) == Wait()


def test_what_arrives_after_a_report_waits_for_a_beat_of_its_own() -> None:
    walk = walk_over(OnePage([[], [], [], [], [0, 1, 3]], frozenset({2, 4})), [0, 1, 2])
    run(walk, now=0.0)
    assert type(walk.background(1.0, 0.0, tick=False)) is Report
    run(walk, now=1.1)
    walk.reported([], [ReportAnswer(4, "N", [0], [], [])], room=0, ended=False)
    assert walk.background(1.2, 0.0, tick=False) is None
    assert walk.background(2.1, 0.0, tick=False) == Report([Arrivals(4, 3, [Edge(1, 1, None)])], [], end=False)


def test_a_fan_in_completed_here_while_its_report_is_out_waits_for_the_answer() -> None:
    walk = walk_over(PAIR, [0, 1])
    run(walk, now=0.0)
    assert type(walk.background(1.0, 0.0, tick=False)) is Report
    run(walk, now=1.0)
    assert walk.next(1.0) == Wait()
    walk.reported([], [ReportAnswer(2, "N", [], [0], [])], room=0, ended=False)
    assert walk.next(1.0) == RunTask(2, [0, 1])


def test_a_value_is_kept_while_it_is_written() -> None:
    walk = walk_over(PAIR, [0, 1])
    run(walk, now=0.0)
    walk.background(1.0, 0.0, tick=False)
    walk.reported([], [ReportAnswer(2, "N", [], [0], [])], room=0, ended=False)
    assert walk.background(1.0, 0.0, tick=False) == Store([0], [])
    assert run(walk, now=1.0) == 1
    assert run(walk, now=1.0) == 2  # complete here, so nobody needs the stored copy
    assert dropped(walk) == [1]
    walk.stored([(0, b"place")])
    assert dropped(walk) == [0]


def test_the_oldest_part_is_given_away_in_contiguous_pieces() -> None:
    walk = walk_over(OnePage([[] for _ in range(8)], frozenset(range(8))), list(range(8)), pieces=2)
    assert walk.next(0.0) == RunTask(0, [])
    assert walk.background(1.0, 1.0, tick=True) == Offload(1, [Piece([2, 3, 4], []), Piece([5, 6, 7], [])])
    walk.offloaded(1, 2, [])
    walk.task_finished(0, 1.0, 1.0)
    assert run(walk, now=1.0) == 1
    assert type(walk.next(1.0)) is Report


def test_pieces_that_are_not_accepted_come_back_in_order() -> None:
    walk = walk_over(OnePage([[] for _ in range(7)], frozenset(range(7))), list(range(7)), pieces=2)
    walk.next(0.0)
    assert walk.background(1.0, 1.0, tick=True) == Offload(1, [Piece([2, 3, 4], []), Piece([5, 6], [])])
    walk.offloaded(1, 1, [])
    walk.task_finished(0, 1.0, 1.0)
    assert [run(walk, now=1.0) for _ in range(3)] == [1, 5, 6]


def test_a_piece_says_what_its_tasks_need() -> None:
    page = OnePage([[], [0], [0], [0]], frozenset({1, 2, 3}))
    walk = walk_over(page, [0], pieces=1)
    run(walk)
    assert walk.next(0.0) == RunTask(1, [0])
    assert walk.background(1.0, 1.0, tick=True) == Offload(1, [Piece([2, 3], [(0, None)])])
    walk.offloaded(1, 1, [(0, b"place")])
    walk.task_finished(1, 1.0, 1.0)
    assert 0 in dropped(walk)


def test_pages_of_tasks_to_give_away_are_fetched_first() -> None:
    dependencies: list[list[int]] = [[], [0], [0], [0]]
    walk = Walk(Always(1.0, 1), [0, 3], beat=1.0, room=3)
    walk.begin([0])
    pages = [OnePage(dependencies, frozenset({1, 2, 3})), OnePage(dependencies, frozenset(), first=3)]
    walk.pages_loaded(pages[:1])
    run(walk)
    walk.next(0.0)
    assert walk.background(1.0, 1.0, tick=True) == FetchPages([1])
    walk.pages_loaded(pages[1:])
    assert walk.background(1.0, 1.0, tick=False) == Offload(1, [Piece([2, 3], [(0, None)])])


def test_entries_with_inputs_fetch_each_value_once() -> None:
    page = OnePage([[], [0], [0]], frozenset({1, 2}))
    walk = walk_over(page, [1, 2], inputs=[(0, b"place")])
    assert walk.next(0.0) == Fetch([(0, b"place")])
    walk.fetched([0])
    assert run(walk) == 1
    assert dropped(walk) == []
    assert run(walk) == 2
    assert dropped(walk) == [0]


def test_an_uploaded_input_is_fetched_by_running_it_and_is_never_stored() -> None:
    page = OnePage([[], [], [0, 1]], frozenset({2}), inputs={0: b"uploaded"})
    walk = walk_over(page, [0])
    assert walk.next(0.0) == RunTask(0, [])
    walk.task_finished(0, 0.1, 0.0)
    assert walk.next(0.0) == Report([Arrivals(2, 2, [Edge(0, 0, b"uploaded")])], [], end=True)


def test_a_later_holder_starts_from_entries_and_claims_without_what_was_given() -> None:
    page = OnePage([[], [], [], [0, 1]], frozenset({2, 3}))
    walk = walk_over(page, [0, 1, 2], claims=[3], given=[1, 2])
    assert run(walk) == 0
    assert walk.next(0.0) == FetchMarks(3, [1])


def test_a_beat_with_nothing_to_say_renews_the_lease() -> None:
    walk = walk_over(OnePage([[]], frozenset({0})), [0])
    walk.next(0.0)
    assert walk.background(1.0, 1.0, tick=True) == Report([], [], end=False)
    assert walk.background(1.0, 1.0, tick=True) is None


def test_a_task_whose_inputs_are_on_their_way_is_not_given_away() -> None:
    page = OnePage([[], [0]], frozenset({1}))
    walk = walk_over(page, [1], pieces=1, inputs=[(0, b"place")])
    assert walk.next(0.0) == Fetch([(0, b"place")])
    assert walk.background(1.0, 0.0, tick=True) == Report([], [], end=False)
    walk.reported([], [], room=3, ended=False)
    walk.fetched([0])
    assert walk.next(1.0) == RunTask(1, [0])


def test_the_policy_is_told_what_waits_and_for_how_long() -> None:
    policy = Always(1.0)
    walk = Walk(policy, [0], beat=1.0, room=3)
    walk.begin([0, 1, 2])
    walk.pages_loaded([OnePage([[], [], []], frozenset({0, 1, 2}))])
    walk.next(0.0)
    walk.background(1.0, 0.7, tick=True)
    walk.reported([], [], room=2, ended=False)
    walk.background(2.0, 1.7, tick=True)
    assert policy.asked == [(2, 3, 0.7, False), (2, 2, 1.7, True)]


@pytest.mark.parametrize("main_thread_first", [True, False])
def test_a_stopped_walk_stops_both_threads(main_thread_first: bool) -> None:
    walk = walk_over(PAIR, [0, 1])
    walk.next(0.0)
    walk.stopped()
    if main_thread_first:
        assert walk.next(1.0) == Stop()
    assert walk.background(1.0, 0.0, tick=True) is None


def test_a_later_holder_does_not_run_what_was_given_away_when_it_comes_by_again() -> None:
    page = OnePage([[], [0], [0], [1]], frozenset({2, 3}))
    walk = walk_over(page, [0], given=[1])
    assert [run(walk), run(walk)] == [0, 2]
    assert dropped(walk) == [0]
    assert walk.next(0.0) == Report([], [(2, None)], end=True)


def test_a_later_holder_computes_what_a_claim_needs_and_was_only_offered_by_the_former_one() -> None:
    """The former holder had 2 in memory, and 1 came from elsewhere; then it claimed 3, and died."""
    page = OnePage([[], [], [0], [1, 2]], frozenset({3}))
    walk = walk_over(page, [0], claims=[3])
    assert [run(walk), run(walk)] == [0, 2]
    assert dropped(walk) == [0]
    assert walk.next(0.0) == FetchMarks(3, [0])
    walk.marks_read(3, [(0, b"there")])
    assert walk.next(0.0) == Fetch([(1, b"there")])
    walk.fetched([1])
    assert run(walk) == 3
    assert sorted(dropped(walk)) == [1, 2]


def test_a_later_holder_runs_a_claim_before_the_claims_that_depend_on_it() -> None:
    page = OnePage([[], [], [0, 1], [], [2, 3]], frozenset({4}))
    walk = walk_over(page, [0, 3], claims=[4, 2])
    assert [run(walk), run(walk)] == [0, 3]
    assert walk.next(0.0) == FetchMarks(2, [1])
    walk.marks_read(2, [(1, b"there")])
    assert walk.next(0.0) == Fetch([(1, b"there")])
    walk.fetched([1])
    assert run(walk) == 2
    assert run(walk) == 4


def test_an_input_of_a_claim_that_is_also_marked_by_somebody_else_is_dropped_after_the_claim_ran() -> None:
    walk = walk_over(OnePage([[], [], [], [0, 1, 2]], frozenset({3})), [0, 1])
    run(walk, now=0.0)
    walk.background(1.0, 0.0, tick=False)
    run(walk, now=1.0)  # a former holder marked the same edge before it died
    walk.reported([], [ReportAnswer(3, "C", [0], [], [(1, b"there"), (2, b"there")])], room=0, ended=False)
    walk.next(1.0)
    walk.fetched([2])
    assert run(walk, now=1.0) == 3
    assert sorted(dropped(walk)) == [0, 1, 2]


def test_the_lease_is_renewed_while_the_main_thread_talks_to_a_store_for_longer_than_a_beat() -> None:
    walk = walk_over(PAIR, [0])
    run(walk, now=0.0)
    walk.next(0.0)
    walk.reported([], [ReportAnswer(2, "N", [], [0], [])], room=0, ended=False)
    assert walk.next(0.5) == Store([0], [])
    assert walk.background(0.9, 0.0, tick=True) is None
    assert walk.background(1.1, 0.0, tick=True) == Renew()
    assert walk.background(1.1, 0.0, tick=False) is None


def test_what_is_known_of_waiting_tasks_is_worth_more_than_the_mean() -> None:
    page = OnePage([[], [], [], [], []], frozenset(range(5)))
    policy = Always(0)
    walk = Walk(policy, [0], beat=1.0, room=3)
    walk.begin([0, 1, 2, 3, 4])
    walk.pages_loaded([page])
    assert run(walk) == 0
    assert run(walk) == 1
    walk.durations.expected = {2: 10.0, 3: 2.0, 1: 99.0}
    walk.background(0.5, 0.0, True)
    (asked,) = policy.asked
    assert asked[:2] == (3, 3)
    assert asked[2] == pytest.approx((10.0 + 2.0 + 0.01) / 3)


def test_a_walk_short_of_time_reports_gives_all_away_and_ends() -> None:
    walk = walk_over(PAIR, [0, 1])
    assert run(walk) == 0
    ready = walk.next(0.0)
    assert type(ready) is RunTask  # and is not run
    walk.hand_over()
    assert walk.next(0.0) == Report([Arrivals(2, 2, [Edge(0, 0, None)])], [], end=False)
    assert walk.next(0.0) == Wait()
    walk.reported([], [ReportAnswer(2, "N", [0], [], [])], room=0, ended=False)
    assert walk.background(0.1, 0.0, tick=True) is None
    offload = walk.next(0.1)
    assert offload == Offload(1, [Piece([1], [])], end=True)
    walk.offloaded(1, 1, [])
    assert walk.next(0.2) == Report([], [], end=True)
    walk.reported([], [], room=0, ended=True)
    assert walk.next(0.3) == Stop()
    assert dropped(walk) == [0]


def test_what_a_walk_claims_while_it_hands_over_is_given_away_with_its_inputs() -> None:
    walk = walk_over(PAIR, [0])
    assert run(walk) == 0
    walk.hand_over()
    assert walk.next(0.0) == Report([Arrivals(2, 2, [Edge(0, 0, None)])], [], end=True)
    walk.reported([], [ReportAnswer(2, "C", [], [0], [(1, b"one")])], room=0, ended=False)
    assert walk.next(0.0) == Offload(1, [Piece([2], [(0, None), (1, b"one")])], end=True)
    walk.offloaded(1, 1, [(0, b"zero")])
    assert walk.next(0.0) == Report([], [], end=True)
    assert dropped(walk) == [0]


def test_a_walk_short_of_time_tells_what_it_did_before_others_may_end_the_job() -> None:
    walk = walk_over(OnePage([[], []], frozenset({1})), [0, 1])
    assert run(walk) == 0
    walk.hand_over()
    assert walk.next(0.0) == Report([], [], end=False)
    walk.reported([], [], room=0, ended=False)
    assert type(walk.next(0.0)) is Offload


def test_claims_of_a_former_holder_are_handed_over_with_what_is_known_of_their_inputs() -> None:
    walk = walk_over(PAIR, [0, 1], claims=[2])
    assert run(walk) == 0
    walk.hand_over()
    assert walk.next(0.0) == Report([], [], end=False)
    walk.reported([], [], room=0, ended=False)
    assert walk.next(0.0) == FetchMarks(2, [1])
    walk.marks_read(2, [])
    offload = walk.next(0.0)
    assert offload == Offload(1, [Piece([1, 2], [(0, None), (1, b"")])], end=True)

    later = Walk(Heartbeat(1.0), [0], beat=1.0, room=0)
    later.begin([1, 2], inputs=[(0, b"zero"), (1, b"")])
    later.pages_loaded([PAIR])
    assert run(later) == 1
    assert later.next(0.0) == Fetch([(0, b"zero")])
    later.fetched([0])
    assert run(later) == 2


def test_a_task_that_is_given_up_is_handed_over_and_what_it_gives_does_not_count() -> None:
    walk = walk_over(OnePage([[], [0]], frozenset({1})), [0])
    assert not walk.give_up(), "nothing runs"
    assert run(walk) == 0
    assert walk.next(0.0) == RunTask(1, [0])
    assert walk.give_up()
    assert not walk.give_up()
    assert walk.next(0.0) == Wait(), "all else is the beat's"
    assert walk.background(0.0, 9.0, tick=True) == Report([], [], end=False)
    walk.task_finished(1, 9.0, 0.0)
    walk.reported([], [], room=0, ended=False)
    assert walk.background(0.0, 9.0, tick=False) == Offload(1, [Piece([1], [(0, None)])], end=True)
    walk.offloaded(1, 1, [])
    assert walk.background(0.0, 9.0, tick=False) == Report([], [], end=True)
    walk.reported([], [], room=0, ended=True)
    assert walk.next(0.0) == Stop()
    assert sorted(dropped(walk)) == [0, 1]
