"""What the scripts and commands of the metadata store reply, in the types of its users."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from wukong.kvs.ring import Ring
from wukong.mds.budget import over_budget
from wukong.mds.counters import NAMES, Counters
from wukong.mds.failure import Failure
from wukong.mds.records import unpack_inputs
from wukong.mds.spent import Spent
from wukong.mds.store import Answer, Begun, Due, Event, JobInfo, Status, TaskTime, Verdict
from wukong.mds.tasks import unpack_tasks


def mapping(flat: Sequence[bytes]) -> dict[str, bytes]:
    """The fields of a hash."""
    return {flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)}


def job_info(meta: dict[str, bytes], live: int, slowest: Sequence[bytes]) -> JobInfo:
    """A job, from its hash, the number of its live records and its slowest tasks."""

    def number(name: str) -> int:
        return int(meta.get(name, b"0"))

    return JobInfo(
        state=meta["state"].decode(),
        generation=number("gen"),
        tasks=number("tasks"),
        sinks=number("sinks"),
        sinks_left=number("left"),
        parallelism=number("parallelism"),
        ring_version=number("ring"),
        live_records=live,
        created=number("created") / 1000,
        ended=number("ended") / 1000,
        deadline=number("deadline") / 1000,
        expires=float(number("expire_at")),
        json_results=meta.get("json") == b"1",
        counters=Counters(**{name: number(name) for name in NAMES}),
        failure=_failure(meta),
        slowest=[_task_time(slowest[i], slowest[i + 1]) for i in range(0, len(slowest), 2)],
        policy=meta.get("policy", b"").decode(),
    )


def _failure(meta: dict[str, bytes]) -> Failure | None:
    if "error" in meta:
        return Failure.from_json(meta["error"])
    if "spent" not in meta:
        return None
    seconds = (int(meta["ended"]) - int(meta["created"])) / 1000
    tasks, ran = int(meta["tasks"]), int(meta.get("tasks_run", b"0")) - int(meta.get("healed", b"0"))
    return over_budget(float(meta["budget"]), Spent(float(meta["spent"]), seconds, max(0, min(tasks, ran)), tasks))


def _task_time(member: bytes, score: bytes) -> TaskTime:
    task, _, key = member.decode().partition(" ")
    return TaskTime(int(task), key, int(score))


def event(sequence: bytes, fields: dict[str, bytes]) -> Event:
    """One entry of a job's stream."""
    return Event(
        sequence.decode(),
        fields["kind"].decode(),
        fields["text"].decode(errors="replace"),
        int(fields.get("task", b"-1")),
        fields.get("stream", b"").decode(),
        fields.get("key", b"").decode(),
        int(fields.get("attempt", b"0")),
    )


def begun(reply: list[Any], pages: Sequence[bytes]) -> Begun:
    """The answer to `begin`."""
    if reply[0] != b"OK":
        return Begun(Status(reply[0].decode()))
    _, begins, now, generation, deadline, parallelism, json_results, firsts, ring, flat, runtime, policy = reply
    first_tasks = array("I")
    first_tasks.frombytes(firsts)
    fields = mapping(flat)
    given = [data.partition(b":")[2] for name, data in fields.items() if name.startswith("g:")]
    return Begun(
        status=Status.OK,
        generation=int(generation),
        begins=begins,
        depth=int(fields["depth"]),
        first_tasks=first_tasks,
        ring=Ring.from_json(ring.decode()),
        seconds_left=(int(deadline) - now) / 1000,
        parallelism=int(parallelism),
        json_results=json_results == b"1",
        runtime=runtime.decode(),
        policy=policy.decode(),
        entries=unpack_tasks(fields["entries"]),
        inputs=unpack_inputs(fields["inputs"]),
        claims=[int(name[2:]) for name in fields if name.startswith("c:")],
        given=unpack_tasks(b"".join(given)),
        pages=pages,
        restores="restores" in fields,
    )


def due(record: bytes, begins: bytes, invokes: int, current: bytes, *rest: Any) -> Due:
    """A record that the sweep found."""
    memory, limit, why, deaths = rest
    task, _, key = current.decode().partition(" ")
    return Due(
        record.decode(),
        int(begins),
        invokes,
        int(task),
        int(memory),
        int(limit),
        why.decode(),
        key,
        deaths,
    )


def answer(answer: list[bytes]) -> Answer:
    """The answer to one arrival."""
    marks = [(int(answer[i]), answer[i + 1]) for i in range(1, len(answer), 2)]
    return Answer(Verdict(answer[0].decode()), marks)
