"""Lost values, computed again: what the walk then says to do, and what it does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from tests.unit.test_walk import OnePage

from wukong.engine.instructions import (
    Fetch,
    FetchMarks,
    Heal,
    Offload,
    Report,
    ReportAnswer,
    RunTask,
    Seek,
    Stop,
    Wait,
)
from wukong.engine.policy.heartbeat import Heartbeat
from wukong.engine.pulls import PAUSE
from wukong.engine.walk import Walk


@dataclass
class Shell:
    """Carries out what a walk says. Marks that are in `gone` cannot be read."""

    page: OnePage
    gone: set[bytes] = field(default_factory=set)
    marks: dict[int, dict[int, bytes]] = field(default_factory=dict)
    runs: Counter[int] = field(default_factory=Counter)
    healed: dict[int, bytes] = field(default_factory=dict)
    busy: set[int] = field(default_factory=set)
    said: list[object] = field(default_factory=list)
    memory: set[int] = field(default_factory=set)
    peak: int = 0
    now: float = 0.0

    def walk(self, entries: list[int], **begin: object) -> Walk:
        walk = Walk(Heartbeat(1.0), [0], beat=1.0, room=0)
        walk.begin(entries, **begin)  # type: ignore[arg-type]
        walk.pages_loaded([self.page])
        return walk

    def drive(self, walk: Walk) -> None:
        while (instruction := walk.next(self.now)) != Stop():
            self.said.append(instruction)
            self.carry_out(walk, instruction)
            self.memory.difference_update(walk.dropped)
            walk.dropped.clear()
        assert self.memory == set()

    def carry_out(self, walk: Walk, instruction: object) -> None:
        match instruction:
            case RunTask(task, inputs):
                assert inputs == self.page.deps(task)
                assert self.memory.issuperset(inputs)
                self.runs[task] += 1
                self.remember([task])
                walk.task_finished(task, 0.01, self.now)
            case Fetch(values):
                lost = [task for task, mark in values if mark in self.gone]
                found = [task for task, mark in values if mark not in self.gone]
                self.remember(found)
                walk.fetched(found)
                walk.pulls.lost(lost)
            case FetchMarks(child, edges):
                known = self.marks.get(child, {})
                walk.marks_read(child, [(edge, known[edge]) for edge in edges if edge in known])
            case Seek(task, mark):
                at = self.healed.get(task)
                at = None if at == mark else at
                walk.pulls.sought(task, at, at is None and task not in self.busy, self.now)
            case Heal(task):
                self.healed[task] = b"healed %d" % task
                walk.pulls.healed(task, self.healed[task])
            case Wait(seconds):
                assert seconds is not None
                self.now += seconds
                self.busy.clear()
            case Report(arrivals, results, end):
                answers = [ReportAnswer(a.child, "N", [e.edge for e in a.edges], [], []) for a in arrivals]
                walk.reported([task for task, _ in results], answers, 0, end)

    def remember(self, tasks: Iterable[int]) -> None:
        self.memory.update(tasks)
        self.peak = max(self.peak, len(self.memory))

    def sought(self) -> list[Seek]:
        return [instruction for instruction in self.said if isinstance(instruction, Seek)]


def chain(length: int) -> OnePage:
    """0 -> 1 -> ...; only the last is a sink."""
    deps = [[task - 1] if task else [] for task in range(length)]
    page = OnePage(deps, frozenset({length - 1}))
    out = [[(task + 1, 0, 1)] if task + 1 < length else [] for task in range(length)]
    page.out = out.__getitem__  # type: ignore[method-assign]
    return page


def test_a_lost_input_is_computed_again_stored_and_told_of() -> None:
    shell = Shell(chain(3), gone={b"one"})
    walk = shell.walk([2], inputs=[(1, b"one")])
    shell.drive(walk)
    assert shell.said[:6] == [
        Fetch([(1, b"one")]),
        Seek(1, b"one"),
        Seek(0, None),
        RunTask(0, []),
        RunTask(1, [0]),
        Heal(1),
    ]
    assert shell.runs == {0: 1, 1: 1, 2: 1}
    assert walk.pulls.runs == 2


def test_a_chain_of_thousands_does_not_recurse_and_keeps_two_values() -> None:
    shell = Shell(chain(3002), gone={b"lost"})
    walk = shell.walk([3001], inputs=[(3000, b"lost")])
    shell.drive(walk)
    assert walk.pulls.runs == 3001
    assert set(shell.runs.values()) == {1}
    assert shell.peak == 2
    assert list(shell.healed) == [3000]


def test_what_somebody_healed_is_read() -> None:
    shell = Shell(chain(3), gone={b"one"}, healed={1: b"new"})
    shell.drive(shell.walk([2], inputs=[(1, b"one")]))
    assert Fetch([(1, b"new")]) in shell.said
    assert shell.runs == {2: 1}


def test_what_somebody_healed_and_was_lost_again_is_healed_again() -> None:
    shell = Shell(chain(3), gone={b"one", b"new"}, healed={1: b"new"})
    shell.drive(shell.walk([2], inputs=[(1, b"one")]))
    assert shell.sought()[:2] == [Seek(1, b"one"), Seek(1, b"new")]
    assert shell.healed == {1: b"healed 1"}
    assert shell.runs == {0: 1, 1: 1, 2: 1}


def test_what_somebody_else_is_at_is_waited_for_and_the_rest_is_done_meanwhile() -> None:
    page = OnePage([[], [], [0, 1]], frozenset({2}))
    shell = Shell(page, gone={b"0", b"1"}, busy={1})
    shell.drive(shell.walk([2], inputs=[(0, b"0"), (1, b"1")]))
    heal = shell.said.index(Heal(0))
    assert shell.said[heal + 1] == Wait(pytest.approx(PAUSE))
    assert shell.runs == {0: 1, 1: 1, 2: 1}


def test_shared_inputs_of_pulled_tasks_are_computed_once() -> None:
    # Twenty diamonds in a row: without one look at all of it, the first would run a million times.
    deps: list[list[int]] = [[]]
    for _ in range(20):
        top = len(deps) - 1
        deps += [[top], [top], [top + 1, top + 2]]
    deps.append([len(deps) - 1])
    shell = Shell(OnePage(deps, frozenset({len(deps) - 1})), gone={b"lost"})
    shell.drive(shell.walk([len(deps) - 1], inputs=[(len(deps) - 2, b"lost")]))
    assert shell.runs == dict.fromkeys(range(len(deps)), 1)
    assert shell.peak == 3


def test_marks_of_a_fan_in_that_are_still_known_save_its_tasks() -> None:
    page = OnePage([[], [], [0, 1], [2]], frozenset({3}))
    shell = Shell(page, gone={b"two"}, marks={2: {0: b"zero"}})
    shell.drive(shell.walk([3], inputs=[(2, b"two")]))
    assert FetchMarks(2, [0, 1]) in shell.said
    assert shell.runs == {1: 1, 2: 1, 3: 1}


def test_inputs_of_a_pulled_task_that_are_lost_too_are_healed_too() -> None:
    page = OnePage([[], [], [0, 1], [2]], frozenset({3}))
    shell = Shell(page, gone={b"two", b"zero"}, marks={2: {0: b"zero", 1: b"one"}})
    shell.drive(shell.walk([3], inputs=[(2, b"two")]))
    assert shell.runs == {0: 1, 2: 1, 3: 1}
    assert shell.healed == {0: b"healed 0", 2: b"healed 2"}


def test_a_pulled_task_makes_nothing_ready_and_counts_towards_no_fan_in() -> None:
    # 0 feeds 1, which is lost; 2, which is somebody else's; 3, a fan-in with 4; and is asked for.
    page = OnePage([[], [0], [0], [0, 4], [], [1]], frozenset({0, 2, 3, 5}))
    shell = Shell(page, gone={b"one"})
    shell.drive(shell.walk([5], inputs=[(1, b"one")]))
    assert shell.runs == {0: 1, 1: 1, 5: 1}
    reports = [said for said in shell.said if isinstance(said, Report)]
    assert [task for report in reports for task, _ in report.results] == [5]
    assert not any(report.arrivals for report in reports)


def test_a_task_that_is_pulled_and_owned_runs_for_both() -> None:
    # A later holder owns 0 again, and what it needs for 3 is lost and made of 0.
    page = OnePage([[], [0], [0], [1]], frozenset({2, 3}))
    shell = Shell(page, gone={b"one"})
    walk = shell.walk([3, 0], inputs=[(1, b"one")], given=[1])
    shell.drive(walk)
    assert shell.runs == {0: 2, 1: 1, 2: 1, 3: 1}
    reports = [said for said in shell.said if isinstance(said, Report)]
    assert {task for report in reports for task, _ in report.results} == {2, 3}


def test_inputs_of_a_claim_that_died_with_its_first_holder_are_computed_again() -> None:
    page = OnePage([[], [], [0, 1]], frozenset({2}))
    shell = Shell(page, marks={2: {0: b"zero"}})
    shell.drive(shell.walk([], claims=[2]))
    assert shell.runs == {1: 1, 2: 1}
    assert shell.healed == {}, "nobody else could have been told of it"


def test_a_chain_longer_than_an_invocation_is_computed_again_by_several_in_turn() -> None:
    shell = Shell(chain(41), gone={b"lost"})
    entries, inputs, holders = [40], [(39, b"lost")], 0
    while not shell.runs[40]:
        holders += 1
        walk, before = shell.walk(entries, inputs=inputs), sum(shell.runs.values())
        while (instruction := walk.next(0.0)) != Stop():
            if isinstance(instruction, RunTask) and sum(shell.runs.values()) == before + 10:
                walk.hand_over()
            elif isinstance(instruction, Offload):
                ((entries, inputs),) = instruction.pieces
                walk.offloaded(1, 1, [])
            else:
                shell.carry_out(walk, instruction)
        shell.memory.clear()
    assert holders == 5
    assert set(shell.runs.values()) == {1}
    assert sorted(shell.healed) == [9, 19, 29, 39]


def test_the_beat_goes_on_while_a_walk_waits_for_a_value() -> None:
    shell = Shell(chain(3), gone={b"one"}, busy={1})
    walk = shell.walk([2], inputs=[(1, b"one")])
    for _ in range(2):
        shell.carry_out(walk, walk.next(0.0))
    assert walk.next(0.0) == Wait(PAUSE)
    assert walk.background(2.0, 0.0, tick=True) == Report([], [], end=False)
    assert walk.next(2.0) == Seek(1, b"one")
    walk.stopped()
    assert walk.next(2.0) == Stop()
