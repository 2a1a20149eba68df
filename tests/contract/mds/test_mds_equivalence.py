"""The store in memory against the real one: the same random calls get the same answers and leave the same keys."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from wukong.errors import ClusterUnavailable
from wukong.kvs.keys import upload_owner
from wukong.kvs.ring import Node, Ring
from wukong.mds.budget import Budget
from wukong.mds.counters import Counters
from wukong.mds.failure import Failure
from wukong.mds.records import Record
from wukong.mds.store import Arrival, Begun, Event, JobInfo, JobSpec, LogText, Mds, Retried, Sync, Synced, TaskTime
from wukong.prices import Prices
from wukong.values.manifest import Manifest
from wukong.values.mark import Part, manifest_mark, part_mark

if TYPE_CHECKING:
    from tests.contract.mds.conftest import Store

CALLS = 120
JOBS = ["j", "k"]
TOKENS = ["a", "b"]
MARKS = [b"N", b"I0", b"", b"x" * 5000, b"\x00\xff", b"M", b"G", b"M" + bytes(60)]
#: Of values in the KVS: in the jobs below and in another, whole ones and parts of one bundle.
_STORED = [
    manifest_mark(bytes(32), Manifest(owner, name, "token", length, [length] * count, pickle, digest).encode())
    for owner in ("j", "k", "l")
    for name, length, count, pickle, digest in (("7", 9, 2, b"p" * 9, b""), ("bundle-1", 5000, 0, None, bytes(32)))
]
MARKS += [*_STORED, part_mark(Part(0, 10, _STORED[1])), part_mark(Part(10, 7, _STORED[1])), _STORED[0] + b"x"]
HASHES = ["a" * 64, "b" * 64]


class Calls:
    """Random calls. A call is a function of a store, made once and then done on each."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._placed = 0
        self._records = ["0", "1", "2", "nothing"]

    def next(self) -> tuple[str, Any]:
        """The name and arguments of a call."""
        pick = self._random.choice
        weights = {"sync": 400, "begin": 200, "offload": 100, "submit": 60, "marks": 40, "results": 30, "renew": 30}
        weights |= {
            "hold": 20,
            "place": 20,
            "sweep": 20,
            "drop": 10,
            "lose": 6,
            "forget": 3,
            "pages": 10,
            "fail": 4,
            "close": 4,
            "purge": 4,
            "lost": 20,
            "prolong": 10,
            "restart": 20,
            "seek": 60,
            "heal": 20,
        }
        name = self._random.choices(list(weights), list(weights.values()))[0]
        job, lease = pick(JOBS), 60.0
        record, token = pick(self._records), self._random.choices(TOKENS, [5, 1])[0]
        generation = 0 if self._random.random() < 0.97 else 1
        held = (job, record, token, generation)
        match name:
            case "submit":
                budget = Budget(pick([0.03, 0.3]), Prices(0.7, 0.0011)) if self._random.random() < 0.3 else None
                ring = Ring(1, (Node("n", "h:1"),))
                more = {"runtime": "3.11", "budget": budget, "policy": pick(["heartbeat", "stateless"])}
                spec = JobSpec(9, 4, 2, [0, 5], pick([3, 6]), ring, 500, inputs=[], **more)
                initial = [Record(str(i), [i, i + 1, i + 7]) for i in range(3)]
                return name, (job, spec, [b"one", b"two"], initial, lease)
            case "begin":
                return name, (job, record, token, lease, pick([(), (0,), (1, 0), (0, 7)]), pick([True, False]))
            case "sync":
                return name, (*held, lease, self._sync())
            case "renew":
                return name, (*held, lease)
            case "offload":
                # As executors do it: an id is used for one record only.
                offload = f"{token}-{self._records.index(record)}-{self._random.randrange(3)}"
                self._records.append(f"{offload}.0")
                pieces = [Record("", self._tasks(), self._marks(), pick([1, 2])) for _ in range(pick([0, 1, 2, 3]))]
                return name, (*held, offload, lease, pieces, self._random.random() < 0.2)
            case "seek":
                return name, (*held, lease, self._random.randrange(4), pick([None, *MARKS]))
            case "heal":
                return name, (*held, lease, self._random.randrange(4), pick(MARKS))
            case "fail":
                return name, (*held, Failure("TaskError", "it raised", 3))
            case "close":
                return name, (job, "cancelled")
            case "prolong":
                self._placed += 1
                return name, (job, pick([100, 3000 + 60 * self._placed]))
            case "purge":
                return name, (job, 1000)
            case "marks":
                return name, (job, generation, self._random.randrange(6), [0, 2, 1])
            case "results":
                return name, (job, [3, 1, 2, 0])
            case "sweep":
                return name, (job, 60.0)
            case "restart":
                return name, (job, generation, lease)
            case "lost":
                return name, (job, record, pick(["", *TOKENS]), pick(["killed", "a: b\nc", ""]), pick([True, False]))
            case "pages":
                return name, (job, pick([[1, 0], [0], [], [0, 7]]))
            case "hold":
                return "hold_input", (pick(HASHES), job, pick([500, 1500, 3500]))
            case "place":
                # No two alike: time passes on the server only, and must not decide.
                self._placed += 1
                content, life = pick(HASHES), pick([1000, 2000, 3000]) + self._placed
                return "place_input", (content, job, pick(MARKS), upload_owner(content, pick(TOKENS)), life)
            case "lose":
                return "lose_input", (pick(HASHES), pick(MARKS))
            case "forget":
                return "forget_inputs", (job,)
        return "drop_inputs", (job,)

    def _sync(self) -> Sync:
        chance = self._random
        arrivals = []
        for child in chance.sample(range(6), chance.randrange(4)):
            need = 1 + child % 4
            edges = chance.sample(range(need), chance.randint(0, need))
            cut = chance.randint(0, len(edges))
            marks = [(edge, chance.choice(MARKS)) for edge in edges[:cut]]
            arrivals.append(Arrival(child, need, marks, edges[cut:]))
        results = [(task, chance.choice(MARKS)) for task in chance.sample(range(4), chance.choice([0, 0, 0, 1, 2]))]
        counters = Counters(tasks_run=chance.randrange(3), bytes_read=7, peak_memory=chance.randrange(9), mb_ms=1234)
        logs = [LogText(i, "stdout", f"text {i}\n", f"key {i}") for i in range(chance.choice([0, 0, 1, 2]))]
        slow = [TaskTime(i, f"key {i}", chance.randrange(9)) for i in chance.sample(range(9), chance.choice([0, 1, 4]))]
        retried = [Retried(i, 2, f"error {i}", f"key {i}") for i in range(chance.choice([0, 0, 0, 1, 2]))]
        current = chance.randrange(-1, 9)
        key = f"a key, {current}"
        end = chance.random() < 0.15
        number, after = chance.randrange(6), chance.choice([0, 0, 1, 2, 4])
        gave = chance.choice(["", "", "", f"{TOKENS[0]}-0-{chance.randrange(3)}"])
        return Sync(arrivals, results, current, 5, 6, counters, logs, slow, end, retried, key, number, after, gave)

    def _tasks(self) -> list[int]:
        return self._random.choices(range(50), k=self._random.randrange(6))

    def _marks(self) -> list[tuple[int, bytes]]:
        return [(task, self._random.choice(MARKS)) for task in self._tasks()]


def told(mds: Mds, call: tuple[str, Any]) -> Any:
    """What a store answers, in a form that leaves out times and the order of what has none."""
    name, args = call
    try:
        answer = getattr(mds, name)(*args)
    except ClusterUnavailable as error:
        return str(error)
    match answer:
        case Begun():
            fields = [answer.entries, answer.inputs, answer.first_tasks, answer.pages]
            unordered = [sorted(answer.claims), sorted(answer.given)]
            return (
                *(
                    answer.status,
                    answer.generation,
                    answer.begins,
                    answer.depth,
                    answer.ring,
                    answer.parallelism,
                    answer.runtime,
                ),
                answer.policy,
                *map(list, fields),
                *unordered,
            )
        case Synced():
            answers = [(item.verdict, sorted(item.marks)) for item in answer.answers]
            return answer.status, answers, answer.room, answer.ended, list(answer.freed)
    if name == "sweep":
        return answer.state, list(answer.due), answer.stalled, answer.expired, answer.generation
    if name == "restart":
        return answer and sorted(answer)
    if name == "drop_inputs":
        return sorted(answer)
    return answer


def seen(mds: Mds, job: str) -> tuple[JobInfo | None, list[Event]]:
    """What the scheduler sees of a job, without times."""
    info = mds.job(job)
    events = [replace(event, sequence="") for event in mds.events(job)]
    return info and replace(info, created=0, ended=0, deadline=0, expires=0), events


@pytest.mark.parametrize("seed", range(60))
def test_both_stores_answer_alike(both: tuple[Store, Store], seed: int) -> None:
    memory, server = both
    calls = Calls(seed)
    for _ in range(CALLS):
        call = calls.next()
        assert told(memory.mds, call) == told(server.mds, call), call
        assert memory.names() == server.names(), call
    for job in JOBS:
        assert seen(memory.mds, job) == seen(server.mds, job)
    assert server.lasting() == []
