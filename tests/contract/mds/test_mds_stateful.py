"""The store in memory against the real one: random sequences of calls get the same answers and leave the same state.

Hypothesis draws the calls: in any order, of holders and strangers, once and again, about jobs in any state and none.
Each is made on both stores. After each of them everything that can be seen is compared: jobs, events, results, which
keys there are, and what is in them (`tests/contract/mds/seen.py`).

Time. Leases, pauses and lives are thousands of seconds long and of different lengths, or nothing: over when they are
given. So the seconds that a test runs decide nothing. Time that matters goes by in a step of its own: the clock of the
store in memory is put forward, and everything on the server is made older by as much.

The sequences are the same in every run; CONTRIBUTING.md says how to have others.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from tests.contract.mds.seen import AGE, in_memory, on_server, public, told

from wukong.kvs.keys import upload_owner
from wukong.kvs.ring import Node, Ring
from wukong.mds.budget import Budget
from wukong.mds.counters import Counters
from wukong.mds.failure import Failure
from wukong.mds.records import Record
from wukong.mds.redis import RedisMds
from wukong.mds.store import Arrival, JobSpec, LogText, Retried, Status, Sync, TaskTime
from wukong.prices import Prices
from wukong.redis import Connection
from wukong.testing.clock import Clock
from wukong.testing.mds import MemoryMds
from wukong.values.manifest import Manifest
from wukong.values.mark import Part, manifest_mark, part_mark

if TYPE_CHECKING:
    from tests.contract.mds.conftest import Servers

PASSWORD = "open-sesame"

#: Sequences, and calls in each. Fewer and longer ones find less: a job that ended does not do much.
EXAMPLES = 160
STEPS = 50

JOBS = ["j", "k"]
TOKENS = ["a", "b", "c"]
#: Of values in the KVS: in the jobs below and in another, whole ones and parts of one bundle.
STORED = [
    manifest_mark(bytes(32), Manifest(owner, name, "token", length, [length] * count, pickle, digest).encode())
    for owner in ("j", "k", "l")
    for name, length, count, pickle, digest in (("7", 9, 2, b"p" * 9, b""), ("bundle-1", 5000, 0, None, bytes(32)))
]
MARKS = [b"N", b"I0", b"", b"x" * 300, b"\x00\xff", b"M", b"G", b"M" + bytes(60), STORED[0] + b"x"]
MARKS += [*STORED, part_mark(Part(0, 10, STORED[1])), part_mark(Part(10, 7, STORED[1]))]
HASHES = ["a" * 64, "b" * 64]

#: No sum of these times is equal to another one, nor near it: steps in time are multiples of a thousand, leases are too
#: but longer than what goes by in one of the first steps, and what may outlive a step has a rest of its own.
LONG = 10_000.0
AGES = [7_000, 7_000, 15_000, 15_000, 15_000, 300_000]
LIVES = [100_370.0, 5_000_370.0]
TOMBSTONE = 40_440.0

jobs = st.sampled_from([*JOBS, JOBS[0], JOBS[0]])
records = st.sampled_from([0, 0, 1, 1, 2, -1, -1, -2])
tokens = st.sampled_from(TOKENS)
numbers = st.integers(0, 7)
tasks = st.integers(0, 3)
marks = st.sampled_from(MARKS)
leases = st.sampled_from([LONG, LONG, LONG, 0.0])
pauses = st.sampled_from([LONG, 0.0])
rarely = st.integers(0, 3).map(lambda number: number == 3)
entries = st.lists(st.integers(0, 40), max_size=5)
marked = st.lists(st.tuples(tasks, marks), max_size=2, unique_by=lambda item: item[0])
results = st.one_of(st.just([]), marked)
pieces = st.lists(st.builds(Record, st.just(""), entries, marked, st.integers(1, 2)), max_size=3)

#: What a job may have beside tasks.
more = st.fixed_dictionaries(
    {"inputs": st.lists(st.sampled_from(HASHES), unique=True)},
    optional={
        "budget": st.builds(Budget, st.sampled_from([0.02, 0.3]), st.just(Prices(0.7, 0.0011))),
        "runtime": st.just("3.11"),
        "policy": st.just("stateless"),
        "targets": st.just(b"targets"),
        "json_results": st.just(True),
    },
)


@st.composite
def arrivals(draw: Any, most: int = 3) -> list[Arrival]:
    """What one executor has for some fan-ins: those with higher numbers need fewer."""
    found = []
    for child in draw(st.lists(st.integers(0, 3), max_size=most, unique=True)):
        need = 4 - child
        edges = draw(st.lists(st.integers(0, need - 1), max_size=need, unique=True))
        stored = draw(st.integers(0, len(edges)))
        found.append(Arrival(child, need, [(edge, draw(marks)) for edge in edges[:stored]], edges[stored:]))
    return found


@st.composite
def words(draw: Any) -> dict[str, Any]:
    """All that a call tells beside arrivals and results."""
    task = draw(st.integers(-1, 3))
    return {
        "current": task,
        "current_key": f"key {task}" if task >= 0 else "",
        "memory": draw(st.integers(0, 9)),
        "memory_limit": 10,
        "counters": Counters(tasks_run=draw(tasks), bytes_read=7, peak_memory=draw(numbers), mb_ms=1234),
        "logs": [LogText(i, "stdout", f"text {i}\n", f"key {i}") for i in range(draw(st.integers(0, 2)))],
        "retried": [Retried(i, 2, f"error {i}", f"key {i}") for i in range(draw(st.integers(0, 1)))],
        "slowest": [TaskTime(i, f"key {i}", i * i) for i in draw(st.lists(numbers, max_size=4, unique=True))],
    }


class Stores(RuleBasedStateMachine):
    """Both stores, and what a caller of them remembers."""

    def __init__(self, server: RedisMds, redis: Connection) -> None:
        super().__init__()
        redis.call("FLUSHALL")
        self.server, self.redis = server, redis
        self.clock = Clock()
        self.memory = MemoryMds(self.clock)
        #: Ids of records, of each job.
        self.records = {job: ["0", "1", "2"] for job in JOBS}
        #: Who began what, and in which generation: the newest is last.
        self.holders: list[tuple[str, str, str, int]] = []
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.given = 0
        #: The job of the last call.
        self.about: str | None = None

    def both(self, name: str, *args: Any) -> Any:
        """Make one call on both stores."""
        self.about = next((arg for arg in args[:2] if isinstance(arg, str) and arg in JOBS), None)
        self.calls.append((name, args))
        ours, theirs = told(self.memory, name, args), told(self.server, name, args)
        assert ours == theirs, f"{name}{args}"
        return theirs

    def holder(self, number: int) -> tuple[str, str, str, int]:
        """Somebody who began, mostly in a job that runs; the last one is 0."""
        running = [holder for holder in self.holders if self.running(holder[0])]
        holders = running if running and number < 7 else self.holders
        return holders[-1 - number % len(holders)] if holders else (JOBS[0], "0", TOKENS[0], 0)

    def running(self, job: str) -> bool:
        """Whether a job runs."""
        info = self.memory.job(job)
        return info is not None and info.state == "running"

    def record(self, job: str, number: int) -> str:
        """A record that there was; the newest one is -1."""
        known = self.records[job]
        return known[number % len(known)]

    # Jobs.

    @initialize(lease=leases, room=st.integers(3, 6))
    def start(self, lease: float, room: int) -> None:
        self._submit(JOBS[0], LIVES[0], lease, 3, room)
        for record, token in zip(self.records[JOBS[0]], TOKENS, strict=True):
            self._begin(JOBS[0], record, token, LONG, (), True)

    def _submit(self, job: str, life: float, lease: float, first: int, room: int, **more: Any) -> None:
        ring = Ring(1, (Node("n", "h:1"),))
        spec = JobSpec(9, 4, 2, [0, 5], room, ring, life, **more)
        self.both(
            "submit", job, spec, [b"one", b"two"], [Record(str(i), [i, i + 1, i + 7]) for i in range(first)], lease
        )

    @rule(
        job=jobs,
        what=st.sampled_from(["submit", "submit", "submit", "restart", "restart", "prolong", "read", "stall", "end"]),
        number=numbers,
        lease=leases,
        more=more,
    )
    def job(self, job: str, what: str, number: int, lease: float, more: dict[str, Any]) -> None:
        self.given += 1
        match what:
            case "submit":
                self._submit(job, LIVES[number % 2], lease, 1 + number % 3, 1 + number % 6, **more)
            case "restart":
                self.both("restart", job, number % 3, lease)
            case "prolong":
                life = 600.0 if number % 2 else 200_500.0
                self.both("prolong", job, life + 10 * (self.given % 40))
            case "read":
                self.both("pages", job, [[1, 0], [], [0, 7]][number % 3])
                self.both("marks", job, number % 2, number % 4, [0, 2, 1])
                self.both("results", job, [3, 1, 2, 0])
                self.both("needed", job)
                assert self.memory.targets(job) == self.server.targets(job)
                assert {name for name, _ in self.memory.jobs()} == {name for name, _ in self.server.jobs()}
            case "stall":
                self._end_all(job)
                self.both("sweep", job, LONG)
            case _ if number < 3:
                self.both("close", job, "cancelled")
                self.both("close", job, "failed", Failure("JobCancelled", "why"))
            case _ if number < 6:
                self.both("fail", *self.holder(number), Failure("TaskError", "it raised", 3))
            case _:
                self.both("purge", job, TOMBSTONE)

    @rule(
        job=jobs,
        finished=st.booleans(),
        others=st.lists(st.lists(st.tuples(tasks, marks), max_size=2), max_size=2),
        number=numbers,
        lease=leases,
    )
    def lose_results(self, job: str, finished: bool, others: list[Any], number: int, lease: float) -> None:
        """Results are lost, of a job that is done mostly: those that are there, others, and some more than once."""
        if finished and self.running(job):
            for holder in self.holders:
                if holder[0] == job:
                    call = Sync(results=[(task, STORED[task % 2]) for task in range(4)])
                    self.both("sync", *holder, LONG, call)
            if number % 2:
                self.given += 1
                self.both("prolong", job, 3_000_370.0 + 10 * (self.given % 40))
        found = self.memory.results(job, range(4))
        there = [(task, mark) for task, mark in enumerate(found) if mark is not None]
        groups = [there[: number % 3], *others, there[number % 4 :]]
        known = self.records[job]
        known += [name for name in self.both("lose_results", job, groups, lease) if name not in known]

    def _end_all(self, job: str) -> None:
        """All records of a job end."""
        for record in self.records[job]:
            for holder in self.holders:
                if holder[:2] == (job, record):
                    self.both("renew", *holder, 0.0)
            if self._begin(job, record, TOKENS[0], LONG, (), False):
                self.both("sync", *self.holders[-1], LONG, Sync(end=True))

    @rule(job=jobs, pause=pauses)
    def sweep(self, job: str, pause: float) -> None:
        self.both("sweep", job, pause)

    @rule(
        number=numbers,
        record=records,
        mine=st.booleans(),
        why=st.sampled_from(["died", "a: b\nc"]),
        at_once=st.booleans(),
    )
    def lost(self, number: int, record: int, mine: bool, why: str, at_once: bool) -> None:
        job, name, token, _ = self.holder(number)
        self.both("lost", job, name if mine else self.record(job, record), token if mine else "", why, at_once)

    @rule(
        what=st.sampled_from(["place", "place", "hold", "hold", "drop", "drop", "forget", "page"]),
        content=st.sampled_from(HASHES),
        job=jobs,
        mark=marks,
        token=tokens,
        long=st.booleans(),
    )
    def upload(self, what: str, content: str, job: str, mark: bytes, token: str, long: bool) -> None:
        self.given += 1
        match what:
            case "place":
                life = (60_000.0 if long else 20_000.0) + 10 * (self.given % 35)
                self.both("place_input", content, job, mark, upload_owner(content, token), life)
            case "hold":
                self.both("hold_input", content, job, 39_400.0 if long else 9_400.0)
            case "drop":
                self.both("drop_inputs", job)
            case "forget":
                self.both("forget_inputs", job)
            case "page":
                self.both("put_upload", content, mark, 20_710.0)
                self.both("uploads", HASHES)

    # Executors.

    @rule(
        job=jobs,
        record=records,
        token=tokens,
        lease=leases,
        pages=st.sampled_from([(), (1, 0), (0, 7)]),
        cold=st.booleans(),
    )
    def begin(self, job: str, record: int, token: str, lease: float, pages: tuple[int, ...], cold: bool) -> None:
        self._begin(job, self.record(job, record), token, lease, pages, cold)

    @rule(number=numbers, token=tokens, over=st.booleans(), lease=leases)
    def take_over(self, number: int, token: str, over: bool, lease: float) -> None:
        """Somebody begins what another one holds, or has held."""
        held = self.holder(number)
        if over:
            self.both("renew", *held, 0.0)
        self._begin(held[0], held[1], token, lease, (), False)

    def _begin(self, job: str, record: str, token: str, lease: float, pages: tuple[int, ...], cold: bool) -> bool:
        begun = self.both("begin", job, record, token, lease, pages, cold)
        if begun.status is Status.OK:
            self.holders.append((job, record, token, begun.generation))
        return begun.status is Status.OK

    @rule(number=numbers, lease=leases, arrivals=arrivals(), end=rarely)
    def report(self, number: int, lease: float, arrivals: list[Arrival], end: bool) -> None:
        self.both("sync", *self.holder(number), lease, Sync(arrivals, end=end))

    @rule(number=numbers, lease=leases, arrivals=arrivals(1), after=st.integers(0, 3), gave=st.booleans())
    def finish(self, number: int, lease: float, arrivals: list[Arrival], after: int, gave: bool) -> None:
        job, record, token, generation = self.holder(number)
        offloads = [f"{token}-{record}-0"] if gave else []
        call = Sync(arrivals, end=True, number=after + 1, after=after, gave=offloads)
        self.both("sync", job, record, token, generation, lease, call)

    @rule(number=numbers, lease=leases, results=results, arrivals=arrivals(1), words=words(), end=rarely)
    def sync(
        self, number: int, lease: float, results: list[Any], arrivals: list[Arrival], words: dict[str, Any], end: bool
    ) -> None:
        self.both("sync", *self.holder(number), lease, Sync(arrivals, results, end=end, number=number, **words))

    @rule(
        number=numbers,
        wrong=st.sampled_from(["token", "generation", "record"]),
        what=st.sampled_from(["sync", "renew", "offload", "seek", "heal", "fail"]),
    )
    def stranger(self, number: int, wrong: str, what: str) -> None:
        """Somebody who is wrong about one thing."""
        job, record, token, generation = self.holder(number)
        match wrong:
            case "token":
                token = "nobody"
            case "generation":
                generation += 1
            case _:
                record = "nothing"
        caller = (job, record, token, generation)
        match what:
            case "sync":
                self.both("sync", *caller, LONG, Sync([Arrival(1, 2, [(0, b"N")])], [(0, b"N")], end=True))
            case "renew":
                self.both("renew", *caller, LONG)
            case "offload":
                self._offload(caller, LONG, 0, [Record("", [1])], False)
            case "seek":
                self.both("seek", *caller, LONG, 1, b"N")
            case "heal":
                self.both("heal", *caller, LONG, 1, b"N")
            case _:
                self.both("fail", *caller, Failure("TaskError", "it raised", 3))

    @rule(number=numbers, lease=leases)
    def renew(self, number: int, lease: float) -> None:
        self.both("renew", *self.holder(number), lease)

    @rule(number=numbers, lease=leases, sequence=st.integers(0, 2), pieces=pieces, end=rarely)
    def offload(self, number: int, lease: float, sequence: int, pieces: list[Record], end: bool) -> None:
        self._offload(self.holder(number), lease, sequence, pieces, end)

    def _offload(
        self, caller: tuple[str, str, str, int], lease: float, sequence: int, pieces: list[Record], end: bool
    ) -> None:
        job, record, token, _ = caller
        offload = f"{token}-{record}-{sequence}"  # as executors do it: an id is used for one record only
        _, accepted = self.both("offload", *caller, offload, lease, pieces, end)
        known = self.records[job]
        known += [name for i in range(accepted) if (name := f"{offload}.{i}") not in known]

    @rule(number=numbers, lease=leases, task=tasks, mark=st.one_of(st.none(), marks), done=rarely)
    def seek(self, number: int, lease: float, task: int, mark: bytes | None, done: bool) -> None:
        if mark is not None and done:
            self.both("heal", *self.holder(number), lease, task, mark)
        else:
            self.both("seek", *self.holder(number), lease, task, mark)

    # Any of these again, and time.

    @rule(number=st.integers(0, 30))
    def again(self, number: int) -> None:
        if self.calls:
            name, args = self.calls[-1 - number % len(self.calls)]
            self.both(name, *args)

    @rule(seconds=st.sampled_from(AGES))
    def time_goes_by(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.redis.call("EVAL", AGE, 0, seconds * 1000)

    # What is seen.

    @invariant()
    def nothing_differs(self) -> None:
        assert in_memory(self.memory, self.clock()) == on_server(self.redis)
        if self.about is not None:
            assert public(self.memory, self.about, self.clock()) == public(self.server, self.about, time.time())


@pytest.mark.timeout(600)  # what fails is made smaller for five minutes at most
def test_both_stores_answer_alike(mds_program: str, mds_servers: Servers) -> None:
    address = mds_servers.address(mds_program)
    with ExitStack() as stack:
        redis = Connection(address, password=PASSWORD)
        stack.callback(redis.close)
        server = RedisMds(address, password=PASSWORD)
        stack.callback(server.close_connections)
        more = 1 if settings.default.derandomize else 20
        run_state_machine_as_test(
            lambda: Stores(server, redis), settings=settings(max_examples=more * EXAMPLES, stateful_step_count=STEPS)
        )
