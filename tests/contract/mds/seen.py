"""All that a metadata store has of a job, and what it answers, in forms that two stores can be compared by.

A store in memory is looked at as it is. A real one is read key by key, as `docs/protocol.md` lays its keys out. Times
are seconds from the store's own now.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from wukong.errors import ClusterUnavailable
from wukong.mds import keys
from wukong.mds.records import unpack_inputs
from wukong.mds.store import Begun, Event, JobInfo, Mds, Synced
from wukong.mds.tasks import unpack_tasks
from wukong.redis import Connection
from wukong.testing.mds import MemoryMds
from wukong.testing.mds_job import MemoryJob
from wukong.testing.mds_record import LiveRecord

#: Seconds by which times may differ: what a test takes.
SLACK = 60.0

#: Keys that live for ever, in tests with one ring.
LASTING = {keys.JOBS, keys.ring(1)}

#: Makes everything on a server older. ARGV: milliseconds, a multiple of 1000.
AGE = """
local function older(key, field, amount)
  if redis.call('HEXISTS', key, field) == 1 then redis.call('HINCRBY', key, field, -amount) end
end
local ms = tonumber(ARGV[1])
for _, key in ipairs(redis.call('KEYS', '*')) do
  if string.match(key, ':m$') then
    for _, field in ipairs({'created', 'deadline', 'ended'}) do older(key, field, ms) end
    older(key, 'expire_at', ms / 1000)
  elseif string.match(key, ':r:') then
    older(key, 'until', ms)
  elseif string.match(key, ':look$') or key == 'w:jobs' then
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      redis.call('ZINCRBY', key, key == 'w:jobs' and -ms / 1000 or -ms, member)
    end
  end
  local left = redis.call('PTTL', key)
  if left > ms then redis.call('PEXPIRE', key, left - ms) elseif left >= 0 then redis.call('DEL', key) end
end
"""

#: All keys of a server, with what is in those that are neither string, set nor stream.
DUMP = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  local content = {}
  if kind == 'hash' then content = redis.call('HGETALL', key) end
  if kind == 'zset' then content = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end
  found[#found + 1] = {key, redis.call('TTL', key), content}
end
return found
"""


class Near(float):
    """Seconds; equal to others that are as many, but for what a test takes."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float) and abs(float(self) - float(other)) < SLACK

    def __ne__(self, other: object) -> bool:
        return not self == other


# Answers.


def told(mds: Mds, name: str, args: tuple[Any, ...]) -> Any:
    """What a store answers, without the order of what has none."""
    try:
        answer = getattr(mds, name)(*args)
    except ClusterUnavailable as error:
        return str(error)
    match answer:
        case Begun():
            return replace(
                answer,
                seconds_left=Near(answer.seconds_left),
                first_tasks=list(answer.first_tasks),
                entries=list(answer.entries),
                inputs=list(answer.inputs),
                claims=sorted(answer.claims),
                given=sorted(answer.given),
                pages=list(answer.pages),
            )
        case Synced():
            answers = [(item.verdict, sorted(item.marks)) for item in answer.answers]
            return answer.status, answers, answer.room, answer.ended, list(answer.freed)
    if name == "sweep":
        return replace(answer, due=sorted(answer.due, key=lambda due: due.record))
    if name == "restart":
        return answer and sorted(answer)
    if name == "drop_inputs":
        return sorted(answer)
    return answer


def public(mds: Mds, job: str, now: float) -> tuple[JobInfo | None, list[Event]]:
    """What everybody can ask about a job."""
    info = mds.job(job)
    if info is not None:
        times = {name: Near(getattr(info, name) - now) for name in ("created", "deadline", "expires")}
        info = replace(info, ended=Near(info.ended and info.ended - now), **times)
    events = [replace(event, sequence="") for event in mds.events(job)]
    return info, events


# What is inside.


def in_memory(mds: MemoryMds, now: float) -> tuple[list[str], dict[str, Any]]:
    """The names of all keys that a server would have, and what would be in those of jobs."""
    names = mds.keys()
    inside: dict[str, Any] = {}
    for job in mds._jobs.values():
        inside |= {f"{keys.prefix(job.name)}:{part}": content for part, content in _of_job(job, now).items() if content}
    return names, inside


def _of_job(job: MemoryJob, now: float) -> dict[str, Any]:
    inside: dict[str, Any] = {f"r:{name}": _in_memory(live, now) for name, live in job.records.items()}
    for generation, fan_ins in enumerate(job.fan_ins):
        inside |= {f"f:{generation}:{child}": marks for child, marks in fan_ins.marks.items()}
        inside[f"o:{generation}"] = {child: owner or "" for child, owner in fan_ins.owners.items()}
    inside["look"] = {name: Near(live.look / 1000 - now) for name, live in job.records.items()}
    inside["first"] = {name: list(entries) for name, entries in job.first.items()}
    inside["s"] = job.results
    inside["d"] = job.deaths
    inside["v"] = job.values.places
    inside["h"] = {task: kept if isinstance(kept, bytes) else kept[::-1] for task, kept in job.healed.items()}
    return inside


def _in_memory(live: LiveRecord, now: float) -> dict[str, Any]:
    return {
        "entries": list(live.entries),
        "inputs": list(live.inputs),
        "depth": live.depth,
        "holder": live.holder,
        "until": Near(live.until / 1000 - now) if live.until else None,
        "begins": live.begins,
        "invokes": live.invokes,
        "current": (live.current, live.key),
        "memory": (live.memory, live.memory_limit),
        "why": live.why,
        "counted": live.counted,
        "idle": live.idle,
        "told": live.told,
        "values": set(live.values),
        "claims": set(live.claims),
        "restores": live.restores,
        "given": live.given,
    }


def on_server(redis: Connection) -> tuple[list[str], dict[str, Any]]:
    """The names of all keys that a real store has, and what is in those of jobs."""
    names: list[str] = []
    inside: dict[str, Any] = {}
    found, now = redis.call("EVAL", DUMP, 0), time.time()
    for key, ttl, content in cast("list[Any]", found):
        name = key.decode()
        names.append(name)
        assert ttl >= 0 or name in LASTING, f"{name} lives for ever"
        if read := _READ.get(_part(name).split(":")[0]):
            fields = {content[i].decode("latin-1"): content[i + 1] for i in range(0, len(content), 2)}
            inside[name] = read(fields, now)
    return sorted(names), inside


def _part(name: str) -> str:
    """What a key of a job is, behind the job."""
    return name.split(":", 2)[-1] if name.count(":") > 1 and not name.startswith(("w:in:", "w:up:", "w:ring:")) else ""


def _record(fields: Mapping[str, bytes], now: float) -> dict[str, Any]:
    task, _, key = fields.get("current", b"-1 ").decode().partition(" ")
    begins, _, why = fields.get("why", b"0:").decode().partition(":")
    given = {name[2:]: value.partition(b":") for name, value in fields.items() if name.startswith("g:")}
    return {
        "entries": unpack_tasks(fields["entries"]),
        "inputs": unpack_inputs(fields["inputs"]),
        "depth": int(fields["depth"]),
        "holder": fields["holder"].decode() if "holder" in fields else None,
        "until": Near(int(fields["until"]) / 1000 - now) if "until" in fields else None,
        "begins": int(fields["begins"]),
        "invokes": int(fields["invokes"]),
        "current": (int(task), key),
        "memory": (int(fields.get("memory", 0)), int(fields.get("limit", 0))),
        "why": (int(begins), why),
        "counted": int(fields.get("counted", 0)),
        "idle": int(fields.get("idle", 0)),
        "told": int(fields.get("told", 0)),
        "values": {value for name, value in fields.items() if name.startswith("v:")},
        "claims": {int(name[2:]) for name in fields if name.startswith("c:")},
        "restores": "restores" in fields,
        "given": {name: (int(count), unpack_tasks(tasks)) for name, (count, _, tasks) in given.items()},
    }


def _healed(kept: bytes) -> bytes | tuple[str, ...]:
    return kept[1:] if kept[:1] == b"M" else tuple(kept[1:].decode().split(":", 1))


_READ: dict[str, Any] = {
    "look": lambda fields, now: {record: Near(float(look) / 1000 - now) for record, look in fields.items()},
    "r": _record,
    "f": lambda fields, now: {int(edge): mark for edge, mark in fields.items()},
    "o": lambda fields, now: {int(child): owner.decode() for child, owner in fields.items()},
    "first": lambda fields, now: {record: unpack_tasks(entries) for record, entries in fields.items()},
    "s": lambda fields, now: {int(sink): mark for sink, mark in fields.items()},
    "v": lambda fields, now: {value.encode("latin-1"): int(places) for value, places in fields.items()},
    "d": lambda fields, now: {int(task): int(count) for task, count in fields.items()},
    "h": lambda fields, now: {int(task): _healed(kept) for task, kept in fields.items()},
}
