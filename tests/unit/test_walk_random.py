"""Many walks over random graphs against a model of the stores, with random interleavings.

What must hold: every task runs exactly once, on the right values; every sink is committed once; nothing stays in
memory or is dropped while it is needed. With holders that die at any moment, every sink is right all the same.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from wukong.engine.instructions import (
    Fetch,
    FetchMarks,
    FetchPages,
    Heal,
    Offload,
    Report,
    ReportAnswer,
    RunTask,
    Seek,
    Store,
)
from wukong.engine.policy.careful import Careful
from wukong.engine.policy.named import ABLATIONS, POLICIES, policy_named
from wukong.engine.policy.policy import Policy
from wukong.engine.walk import Walk

WIDE = 8  # claims wider than this bring no marks, as 256 in the real store
PAGE = 7


@dataclass
class Graph:
    """Adjacency by page, as `wukong.graph.page.Page` gives it; task values are 1 + the sum of the inputs."""

    deps: list[list[int]]
    sinks: frozenset[int]
    first: int = 0
    inputs: dict[int, bytes] = field(default_factory=dict)

    def out_edges(self) -> list[list[tuple[int, int, int]]]:
        out: list[list[tuple[int, int, int]]] = [[] for _ in self.deps]
        for child, deps in enumerate(self.deps):
            for edge, parent in enumerate(deps):
                out[parent].append((child, edge, len(deps)))
        return out

    def values(self) -> list[int]:
        values: list[int] = []
        for deps in self.deps:
            values.append(1 + sum(values[parent] for parent in deps))
        return values


class GraphPage:
    def __init__(self, graph: Graph, out: list[list[tuple[int, int, int]]], first: int) -> None:
        self.first = first
        self.inputs: dict[int, bytes] = {}
        self.sinks = graph.sinks
        self.deps = graph.deps.__getitem__
        self.out = out.__getitem__


def random_dag(rng: random.Random) -> Graph:
    count = rng.randint(1, 60)
    shape = rng.choice(["sparse", "dense", "tree", "chain", "layers"])
    deps: list[list[int]] = []
    for task in range(count):
        if shape == "chain":
            deps.append([task - 1] if task else [])
        elif shape == "tree":
            deps.append([task - 1, task - 2] if task % 3 == 2 else [])
        elif shape == "layers":
            layer = task // 6
            deps.append([6 * (layer - 1) + i for i in range(6)] if layer else [])
        else:
            most = 2 if shape == "sparse" else 12
            deps.append(sorted(rng.sample(range(task), min(task, rng.randint(0, most)))))
    used = {parent for edges in deps for parent in edges}
    sinks = {task for task in range(count) if task not in used} | {t for t in range(count) if rng.random() < 0.05}
    return Graph(deps, frozenset(sinks))


@dataclass
class Stores:
    graph: Graph
    marks: dict[int, dict[int, bytes]] = field(default_factory=dict)
    owners: dict[int, int] = field(default_factory=dict)
    results: dict[int, bytes] = field(default_factory=dict)
    runs: dict[int, int] = field(default_factory=dict)
    faults: bool = False
    written: set[int] = field(default_factory=set)
    #: How likely it is that a value is lost between its mark and its reading.
    losses: float = 0.0
    pulls: int = 0
    healed: dict[int, bytes] = field(default_factory=dict)
    healers: dict[int, int] = field(default_factory=dict)


@dataclass
class Job:
    """What all executors of one job share. Without `bound` every record that is asked for is accepted."""

    policy: Policy
    stores: Stores
    pages: list[GraphPage]
    time: float = 0.0
    bound: bool = True
    hand_overs: float = 0.0
    #: How likely it is that a task takes longer than a step.
    give_ups: float = 0.0

    def clock(self) -> float:
        return self.time


class Executor:
    def __init__(self, name: int, job: Job, entries: list[int], inputs) -> None:
        self.name, self.job, self.stores, self.pages, self.clock = name, job, job.stores, job.pages, job.clock
        self.walk = Walk(job.policy, [page.first for page in job.pages], beat=2.0, room=3 if job.bound else 1000)
        self.memory: dict[int, int] = {}
        self.entries, self.inputs = entries, inputs
        self.claims: list[int] = []
        self.given: list[int] = []
        self.walk.begin(entries, inputs=inputs)
        self.out = None  # the beat thread's instruction under way
        self.done = False
        self.running: RunTask | None = None
        self.handed_over = False
        self.children: list[tuple[list[int], list[tuple[int, bytes]]]] = []

    def die(self) -> Executor:
        """The next holder of the record, which knows what is written of it and nothing else."""
        successor = Executor(self.name, self.job, [], [])
        successor.entries, successor.inputs = self.entries, self.inputs
        successor.claims, successor.given = self.claims, self.given
        rng = random.Random(len(self.claims))
        claims = rng.sample(self.claims, len(self.claims))
        successor.walk.begin(self.entries, claims, self.given, self.inputs)
        return successor

    def main(self, rng: random.Random) -> None:
        if self.running is not None:
            self.finish(*self.running, rng)
            return
        if rng.random() < self.job.hand_overs and not self.handed_over:
            self.handed_over = True
            self.walk.hand_over()
        instruction = self.walk.next(self.clock())
        if type(instruction) is RunTask and rng.random() < self.job.give_ups:
            self.running = instruction
        elif type(instruction) is RunTask:
            self.finish(*instruction, rng)
        else:
            self.carry_out(instruction, rng)

    def finish(self, task: int, inputs: list[int], rng: random.Random) -> None:
        self.running = None
        assert inputs == self.stores.graph.deps[task]
        if self.handed_over:
            self.memory[task] = -1
        else:
            if self.job.policy.lean and not self.stores.losses:
                assert self.memory.keys() == set(inputs)
            self.memory[task] = 1 + sum(self.memory[parent] for parent in inputs)
            if self.walk.pulls.running == task:
                self.stores.pulls += 1
            else:
                self.stores.runs[task] = self.stores.runs.get(task, 0) + 1
        self.walk.task_finished(task, rng.choice([0.0, 0.01, 3.0]), self.clock(), rng.random() < 0.5)
        self.drop()

    def beat(self, rng: random.Random) -> None:
        """Takes an instruction in one step and answers it in a later one, so that the main thread runs in between."""
        if self.out is None:
            if self.running is not None and rng.random() < 0.5 and not self.handed_over:
                self.handed_over = self.walk.give_up()
            self.out = self.walk.background(self.clock(), 0.0, tick=rng.random() < 0.7)
        else:
            self.carry_out(self.out, rng)
            self.out = None

    def drop(self) -> None:
        for task in self.walk.dropped:
            self.memory.pop(task)
        self.walk.dropped.clear()

    def mark(self, task: int) -> bytes:
        return str(self.memory[task]).encode()

    def carry_out(self, instruction, rng: random.Random) -> None:
        walk = self.walk
        match instruction:
            case FetchPages(indices):
                walk.pages_loaded([self.pages[i] for i in indices])
            case Fetch(values):
                lost = [task for task, _ in values if rng.random() < self.stores.losses]
                self.memory.update((task, int(mark)) for task, mark in values if task not in lost)
                walk.fetched([task for task, _ in values if task not in lost])
                walk.pulls.lost(lost)
            case FetchMarks(child, edges):
                marks = self.stores.marks.get(child, {})
                walk.marks_read(child, [(edge, marks[edge]) for edge in edges if edge in marks])
            case Seek(task, mark):
                at = self.stores.healed.get(task)
                at = None if at == mark else at
                free = at is None and self.stores.healers.get(task, self.name) == self.name
                if free and mark is not None:
                    self.stores.healers[task] = self.name
                walk.pulls.sought(task, at, free, self.clock())
            case Heal(task):
                # No two marks are alike, as in reality.
                self.stores.healed[task] = b"%d" % self.memory[task] + b" " * (len(self.stores.healed) + 1)
                self.stores.healers.pop(task, None)  # nobody, where a walk tells of what it stops at
                walk.pulls.healed(task, self.stores.healed[task])
            case Store(tasks, together):
                assert all(set(group) <= set(tasks) for group in together)
                self.stores.written.update(tasks)
                walk.stored([(task, self.mark(task)) for task in tasks])
                self.drop()
            case Report():
                self.report(instruction, rng)
            case Offload(sequence, pieces, end):
                accepted = rng.randint(0, len(pieces)) if self.job.bound and not end else len(pieces)
                marks = {}
                for piece in pieces[:accepted]:
                    assert not self.job.policy.stores_all or all(mark is not None for _, mark in piece.inputs)
                    inputs = [
                        (task, marks.setdefault(task, self.mark(task)) if mark is None else mark)
                        for task, mark in piece.inputs
                    ]
                    self.children.append((piece.entries, inputs))
                    self.given += piece.entries
                walk.offloaded(sequence, accepted, marks.items())
                self.drop()

    def report(self, report: Report, rng: random.Random) -> None:
        stores, answers, claimed, waiting = self.stores, [], False, False
        stored: dict[int, bytes] = {}
        for child, need, edges in report.arrivals:
            assert need == len(stores.graph.deps[child])
            assert all(stores.graph.deps[child][edge] == parent for edge, parent, _ in edges)
            small = {edge: mark or self.mark(parent) for edge, parent, mark in edges if mark or rng.random() < 0.5}
            if not self.job.policy.delays:
                stored |= {parent: self.mark(parent) for edge, parent, _ in edges if edge not in small}
                small |= {edge: stored[parent] for edge, parent, _ in edges if edge not in small}
            offers = [edge for edge, _, _ in edges if edge not in small]
            have = stores.marks.setdefault(child, {})
            verdict, others = "N", []
            if (owner := stores.owners.get(child, self.name)) != self.name:
                assert stores.faults, "a fan-in with local arrivals was claimed by somebody else"
                answers.append(ReportAnswer(child, "T", list(small), offers, []))
                continue
            if child not in stores.owners:
                have.update(small)
            if child in stores.owners or len(set(have) | set(offers)) == need:
                if child not in stores.owners:
                    self.claims.append(child)
                stores.owners[child] = owner
                verdict, claimed = "C", True
                others = [(edge, mark) for edge, mark in have.items() if edge not in small]
            else:
                waiting = waiting or bool(offers)
            answers.append(ReportAnswer(child, verdict, list(small), offers, others if need <= WIDE else None))
        for task, mark in report.results:
            assert stores.faults or task not in stores.results
            stores.results.setdefault(task, mark or self.mark(task))
        self.done = report.end and not claimed and not waiting
        if self.done:  # what was left to it is free again
            stores.healers = {task: name for task, name in stores.healers.items() if name != self.name}
        room = rng.randint(0, 4) if self.job.bound else 1000
        self.walk.reported([task for task, _ in report.results], answers, room, self.done, stored.items())
        self.drop()


def _policy(name: str) -> Policy:
    """A policy by its name, with a word before it for a holder after two that died."""
    plain = name.removeprefix("careful ")
    policy = policy_named(plain, 0.1, 1)
    return policy if plain == name else Careful(policy)


def walk_through(
    rng: random.Random,
    policy: str,
    deaths: float,
    bound: bool = True,
    hand_overs: float = 0.0,
    losses: float = 0.0,
    give_ups: float = 0.0,
) -> tuple[Stores, list[Executor]]:
    graph = random_dag(rng)
    out = graph.out_edges()
    pages = [GraphPage(graph, out, first) for first in range(0, len(graph.deps), PAGE)]
    stores = Stores(graph, faults=deaths > 0, losses=losses)
    job = Job(_policy(policy), stores, pages, bound=bound, hand_overs=hand_overs, give_ups=give_ups)
    leaves = [task for task, deps in enumerate(graph.deps) if not deps]
    executors: list[Executor] = []

    def start(entries: list[int], inputs: list[tuple[int, bytes]]) -> None:
        executors.append(Executor(len(executors), job, entries, inputs))

    for group in job.policy.initial_groups(leaves, 3 if bound else len(graph.deps)):
        start(list(group), [])
    for _ in range(200_000):
        alive = [executor for executor in executors if not executor.done]
        if not alive:
            break
        executor = rng.choice(alive)
        job.time += rng.choice([0.0, 0.1, 1.0])
        executor.beat(rng) if rng.random() < 0.4 else executor.main(rng)
        while executor.children:
            start(*executor.children.pop())
        if not executor.done and rng.random() < deaths:
            executors[executors.index(executor)] = executor.die()
    assert all(executor.done for executor in executors)
    expected = graph.values()
    assert {task: int(mark) for task, mark in stores.results.items()} == {t: expected[t] for t in graph.sinks}
    assert all(not executor.memory for executor in executors)
    return stores, executors


NAMES = [*POLICIES, *(f"careful {policy}" for policy in POLICIES), *ABLATIONS, "careful heartbeat without delayed-io"]
SEEDS = {"heartbeat": 400, "wukong2020": 200, "stateless": 200, **dict.fromkeys(ABLATIONS, 9)}
CASES = [(policy, seed) for policy in NAMES for seed in range(SEEDS.get(policy, 30))]

#: Of a holder, in each of its steps. Where a task takes several steps (without state, with little in memory), more of
#: them would hardly let anybody get far.
DEATHS = {"heartbeat": 0.02, "wukong2020": 0.02}


@pytest.mark.parametrize(("policy", "seed"), CASES)
def test_every_task_runs_once_and_every_sink_is_right(policy: str, seed: int) -> None:
    stores, _ = walk_through(random.Random(seed), policy, deaths=0)
    assert stores.runs == dict.fromkeys(range(len(stores.graph.deps)), 1)


@pytest.mark.parametrize(("policy", "seed"), CASES)
def test_holders_that_die_lose_no_result(policy: str, seed: int) -> None:
    walk_through(random.Random(seed), policy, deaths=DEATHS.get(policy, 0.005))


@pytest.mark.parametrize(("policy", "seed"), CASES[::3])
def test_holders_that_hand_over_at_any_moment_lose_and_repeat_nothing(policy: str, seed: int) -> None:
    stores, _ = walk_through(random.Random(seed), policy, deaths=0, hand_overs=0.1)
    assert stores.runs == dict.fromkeys(range(len(stores.graph.deps)), 1)


@pytest.mark.parametrize(("policy", "seed"), CASES[::3])
def test_holders_that_hand_over_and_die_lose_no_result(policy: str, seed: int) -> None:
    walk_through(random.Random(seed), policy, deaths=DEATHS.get(policy, 0.005), hand_overs=0.05)


@pytest.mark.parametrize(("policy", "seed"), CASES[::3])
def test_tasks_that_are_given_up_are_run_by_somebody_else(policy: str, seed: int) -> None:
    stores, _ = walk_through(random.Random(seed), policy, deaths=0, give_ups=0.1)
    assert stores.runs == dict.fromkeys(range(len(stores.graph.deps)), 1), "runs whose values count"


@pytest.mark.parametrize(("policy", "seed"), CASES[::3])
def test_holders_that_hand_over_give_up_and_die_while_values_are_lost_lose_no_result(policy: str, seed: int) -> None:
    walk_through(random.Random(seed), policy, DEATHS.get(policy, 0.005), hand_overs=0.05, give_ups=0.05, losses=0.1)


@pytest.mark.parametrize("policy", NAMES)
def test_values_that_are_lost_are_computed_again_and_nothing_else_is(policy: str) -> None:
    pulls = 0
    for seed in range(100):
        stores, _ = walk_through(random.Random(seed), policy, deaths=0, losses=0.2)
        assert stores.runs == dict.fromkeys(range(len(stores.graph.deps)), 1)
        assert not stores.healers
        pulls += stores.pulls
    assert pulls > 100


@pytest.mark.parametrize("seed", range(100))
def test_stateless_has_an_executor_for_each_task_and_stores_what_others_need(seed: int) -> None:
    stores, executors = walk_through(random.Random(seed), "stateless", deaths=0, bound=False)
    graph = stores.graph
    assert sorted(task for executor in executors for task in executor.entries) == list(range(len(graph.deps)))
    assert len(executors) == len(graph.deps)
    assert stores.written == {parent for deps in graph.deps for parent in deps}


@pytest.mark.parametrize("seed", range(100))
def test_wukong2020_starts_an_executor_for_each_leaf_and_gives_single_tasks_away(seed: int) -> None:
    stores, executors = walk_through(random.Random(seed), "wukong2020", deaths=0, bound=False)
    leaves = [[task] for task, deps in enumerate(stores.graph.deps) if not deps]
    assert [executor.entries for executor in executors[: len(leaves)]] == leaves
    assert all(len(executor.entries) == 1 for executor in executors)
