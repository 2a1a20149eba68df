"""Results that were lost after they were committed: what a walk says to have them again, and what it leaves alone."""

from __future__ import annotations

from tests.unit.test_walk import OnePage, walk_over
from tests.unit.test_walk_pulls import Shell, chain

from wukong.engine.instructions import Fetch, Heal, Offload, Report, RunTask, Seek, Stop


def reports(shell: Shell) -> list[Report]:
    return [said for said in shell.said if isinstance(said, Report)]


def test_a_result_is_computed_again_stored_told_of_and_committed_by_its_new_mark() -> None:
    shell = Shell(chain(3), gone={b"two"})
    walk = shell.walk([2], inputs=[(2, b"two")], restores=True)
    shell.drive(walk)
    assert shell.said == [
        *(Fetch([(2, b"two")]), Seek(2, b"two"), Seek(1, None), Seek(0, None)),
        *(RunTask(0, []), RunTask(1, [0]), RunTask(2, [1]), Heal(2)),
        Report([], [(2, b"healed 2")], end=True),
    ]
    assert walk.pulls.runs == 3


def test_a_result_that_is_there_after_all_is_committed_as_it_is() -> None:
    shell = Shell(chain(3))
    shell.drive(shell.walk([2], inputs=[(2, b"two")], restores=True))
    assert shell.said == [Fetch([(2, b"two")]), Report([], [(2, b"two")], end=True)]
    assert not shell.runs


def test_a_result_that_somebody_has_healed_is_committed_from_there() -> None:
    shell = Shell(chain(3), gone={b"two"}, healed={2: b"new"})
    shell.drive(shell.walk([2], inputs=[(2, b"two")], restores=True))
    assert shell.said[-2:] == [Fetch([(2, b"new")]), Report([], [(2, b"new")], end=True)]
    assert not shell.runs


def test_it_makes_nothing_ready_and_counts_towards_no_fan_in() -> None:
    page = OnePage([[], [], [0, 1], [0], [2, 3]], frozenset({0, 1, 4}))
    shell = Shell(page, gone={b"zero", b"one"})
    shell.drive(shell.walk([0, 1], inputs=[(0, b"zero"), (1, b"one")], restores=True))
    assert shell.runs == {0: 1, 1: 1}
    assert reports(shell) == [Report([], [(0, b"healed 0"), (1, b"healed 1")], end=True)]


def test_results_that_others_are_made_of_are_computed_once() -> None:
    length = 2000
    deps = [[task - 1] if task else [] for task in range(length)]
    shell = Shell(OnePage(deps, frozenset(range(length))), gone={b"%d" % task for task in range(length)})
    walk = shell.walk([*range(length)][::-1], inputs=[(task, b"%d" % task) for task in range(length)], restores=True)
    shell.drive(walk)
    assert set(shell.runs.values()) == {1}
    assert sorted(task for report in reports(shell) for task, _ in report.results) == [*range(length)]


def test_what_is_given_away_takes_its_mark_along() -> None:
    page = OnePage([[], [0], [0], [0], [0]], frozenset({1, 2, 3, 4}))
    inputs = [(task, b"%d" % task) for task in (1, 2, 3, 4)]
    walk = walk_over(page, [1, 2, 3, 4], 1, inputs=inputs, restores=True)
    assert walk.next(0.0) == Fetch([(1, b"1")])
    given = walk.background(2.0, 0.0, tick=True)
    assert isinstance(given, Offload)
    (piece,) = given.pieces
    assert piece.inputs == [(task, b"%d" % task) for task in piece.entries]
    assert piece.entries == [3, 4]


def test_a_result_that_takes_longer_than_an_invocation_is_computed_by_several_in_turn() -> None:
    shell = Shell(chain(41), gone={b"lost"})
    entries, inputs, holders = [40], [(40, b"lost")], 0
    results: list[object] = []
    while not results:
        holders += 1
        walk, before = shell.walk(entries, inputs=inputs, restores=True), sum(shell.runs.values())
        while (instruction := walk.next(0.0)) != Stop():
            if isinstance(instruction, RunTask) and sum(shell.runs.values()) == before + 10:
                walk.hand_over()
            elif isinstance(instruction, Offload):
                ((entries, inputs),) = instruction.pieces
                walk.offloaded(1, 1, [])
            else:
                results += instruction.results if isinstance(instruction, Report) else []
                shell.carry_out(walk, instruction)
        shell.memory.clear()
    assert holders == 5
    assert set(shell.runs.values()) == {1}
    assert results == [(40, b"healed 40")]
