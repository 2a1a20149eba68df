"""The metadata store on a real Redis or Valkey server.

Calls become one round trip each: a script, or a pipeline. What the scripts answer is decoded here and nowhere else.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, cast

from wukong.errors import ClusterUnavailable
from wukong.kvs.keys import INPUT
from wukong.kvs.ring import Ring
from wukong.mds import keys, replies, scripts
from wukong.mds.counters import NAMES
from wukong.mds.failure import Failure
from wukong.mds.records import Record, pack_inputs
from wukong.mds.store import (
    SLOWEST,
    Begun,
    Event,
    JobInfo,
    JobSpec,
    Sought,
    Status,
    Sweep,
    Sync,
    Synced,
)
from wukong.mds.tasks import pack_tasks
from wukong.redis.command import Arg
from wukong.redis.connection import Connection
from wukong.redis.pool import Pool

#: How long keys outlive the job's deadline, in seconds.
GRACE = 900

#: Until how many seconds before the end of its keys a job has time that was done and runs again, if not longer anyway.
LAST = GRACE // 2

#: Bytes of pages written in one pipeline.
LOAD_BYTES = 8 * 1024 * 1024

#: Keys removed by one command.
UNLINK_KEYS = 500


class RedisMds:
    """`wukong.mds.store.Mds` on one server; see there.

    Args:
        address: "host:port".
        password: The user's; empty for none.
        patience: Seconds for which a call goes on while the server is away.
        user: Whose password it is; empty for the default user.
        authority: Who vouches for the server (PEM); empty for one that speaks in the clear.
    """

    def __init__(
        self, address: str, *, password: str = "", patience: float = 0.0, user: str = "", authority: str = ""
    ) -> None:
        self._pool = Pool(address, password=password, patience=patience, identify=True, user=user, authority=authority)

    # Jobs.

    def submit(self, job: str, spec: JobSpec, pages: Sequence[bytes], records: Sequence[Record], lease: float) -> str:
        meta, held = keys.meta(job), keys.job_inputs(job)
        fields: list[Arg] = ["gen", 0, "tasks", spec.tasks, "sinks", spec.sinks, "left", spec.sinks]
        fields += ["pages", len(pages), "firsts", array("I", spec.first_tasks).tobytes()]
        fields += ["parallelism", spec.parallelism, "ring", spec.ring.version, "json", int(spec.json_results)]
        fields += ["runtime", spec.runtime]
        if spec.budget is not None:
            prices = spec.budget.prices
            fields += ["budget", repr(spec.budget.max_cost_usd)]
            fields += ["usd_mb_ms", repr(prices.mb_ms), "usd_request", repr(prices.request)]
        fields += ["policy", spec.policy]
        with self._pool.connection() as redis:
            created = scripts.CREATE.call(
                redis,
                [meta, keys.JOBS, keys.ring(spec.ring.version)],
                [job, _ms(spec.seconds), GRACE, spec.ring.to_json(), *fields],
            )
            state, *expiry = cast(list[Any], created)
            if not expiry:
                return cast(bytes, state).decode()
            writes: list[list[Arg]] = []
            if spec.targets:
                writes.append(["SET", keys.targets(job), spec.targets, "EXAT", expiry[0]])
            if spec.inputs:
                writes += [["SADD", held, *spec.inputs], ["EXPIREAT", held, expiry[0]]]
            for first, batch in _batches(pages):
                writes.extend(
                    ["SET", keys.page(job, first + i), page, "EXAT", expiry[0]] for i, page in enumerate(batch)
                )
                redis.pipeline(writes)
                writes = []
            redis.pipeline(writes)
            args: list[Arg] = [keys.prefix(job), len(pages), _ms(lease), len(records)]
            args.extend(chain.from_iterable((record.id, pack_tasks(record.entries)) for record in records))
            opened = scripts.OPEN.call(redis, [meta, keys.look(job), keys.events(job), keys.first(job)], args)
            if opened == b"gone":
                # It was purged meanwhile, and not all of this was there to be removed.
                _unlink(redis, [*(keys.page(job, i) for i in range(len(pages))), held, keys.targets(job)])
            return cast(bytes, opened).decode()

    def job(self, job: str) -> JobInfo | None:
        with self._pool.connection() as redis:
            slowest: list[Arg] = ["ZREVRANGE", keys.slowest(job), 0, SLOWEST - 1, "WITHSCORES"]
            fields, live, slow = redis.pipeline([["HGETALL", keys.meta(job)], ["ZCARD", keys.look(job)], slowest])
        meta = replies.mapping(cast(list[bytes], fields))
        return replies.job_info(meta, cast(int, live), cast(list[bytes], slow)) if meta else None

    def jobs(self) -> list[tuple[str, float]]:
        with self._pool.connection() as redis:
            flat = cast(list[bytes], redis.call("ZRANGE", keys.JOBS, 0, -1, "WITHSCORES"))
        return [(flat[i].decode(), float(flat[i + 1])) for i in range(0, len(flat), 2)]

    def events(self, job: str, after: str = "0", count: int = 1000) -> list[Event]:
        with self._pool.connection() as redis:
            entries = redis.call("XRANGE", keys.events(job), f"({after}", "+", "COUNT", count)
        return [replies.event(sequence, replies.mapping(fields)) for sequence, fields in cast(list[Any], entries)]

    def results(self, job: str, tasks: Sequence[int]) -> list[bytes | None]:
        if not tasks:
            return []
        batches = [tasks[i : i + 10_000] for i in range(0, len(tasks), 10_000)]
        with self._pool.connection() as redis:
            replies = redis.pipeline([["HMGET", keys.sinks(job), *batch] for batch in batches])
        return cast(list["bytes | None"], list(chain.from_iterable(cast(list[list[Any]], replies))))

    def targets(self, job: str) -> bytes:
        with self._pool.connection() as redis:
            return cast("bytes | None", redis.call("GET", keys.targets(job))) or b""

    def sweep(self, job: str, pause: float) -> Sweep:
        with self._pool.connection() as redis:
            state, expired, stalled, generation, *due = cast(
                list[Any],
                scripts.SWEEP.call(
                    redis,
                    [keys.meta(job), keys.look(job), keys.deaths(job)],
                    [keys.prefix(job), _ms(pause)],
                ),
            )
        return Sweep(
            state.decode(),
            [replies.due(*found) for found in due],
            bool(stalled),
            bool(expired),
            generation,
        )

    def restart(self, job: str, generation: int, lease: float) -> list[str] | None:
        with self._pool.connection() as redis:
            created = scripts.RESTART.call(
                redis,
                [keys.meta(job), keys.look(job), keys.first(job)],
                [keys.prefix(job), generation, _ms(lease)],
            )
        return None if created is None else [record.decode() for record in cast(list[bytes], created)]

    def lost(self, job: str, record: str, holder: str, why: str, at_once: bool) -> bool:
        with self._pool.connection() as redis:
            reply = scripts.LOST.call(
                redis,
                [keys.meta(job), keys.record(job, record), keys.look(job)],
                [record, holder, why, int(at_once)],
            )
        return reply == 1

    def lose_results(self, job: str, groups: Sequence[Sequence[tuple[int, bytes]]], lease: float) -> list[str]:
        held = [keys.meta(job), keys.look(job), keys.sinks(job), keys.events(job), keys.JOBS]
        held += [keys.first(job), keys.deaths(job), keys.healed(job), keys.values(job)]
        args: list[Arg] = [keys.prefix(job), job, _ms(lease), _ms(LAST), len(groups)]
        for group in groups:
            args.append(len(group))
            args += chain.from_iterable(group)
        with self._pool.connection() as redis:
            created = scripts.LOSE_RESULTS.call(redis, held, args)
        return [record.decode() for record in cast(list[bytes], created)]

    def close(self, job: str, state: str, failure: Failure | None = None) -> str:
        with self._pool.connection() as redis:
            text = failure.to_json() if failure else ""
            reply = scripts.CLOSE.call(redis, [keys.meta(job), keys.events(job)], [state, text])
        return cast(bytes, reply).decode()

    def prolong(self, job: str, seconds: float) -> bool:
        held = [keys.meta(job), keys.sinks(job), keys.events(job), keys.targets(job), keys.job_inputs(job)]
        held.append(keys.slowest(job))
        with self._pool.connection() as redis:
            return bool(scripts.PROLONG.call(redis, held, [keys.prefix(job), _ms(seconds)]))

    def purge(self, job: str, tombstone: float) -> None:
        with self._pool.connection() as redis:
            buried = scripts.BURY.call(redis, [keys.meta(job), keys.JOBS], [job, max(1, int(tombstone))])
            if buried is None:
                return
            pages, generation = (int(part) for part in cast(list[bytes], buried))
            commands: list[list[Arg]] = [["ZRANGE", keys.look(job), 0, -1]]
            commands.extend(["HKEYS", keys.owners(job, gen)] for gen in range(generation + 1))
            records, *owners = cast(list[list[bytes]], redis.pipeline(commands))
            doomed = [keys.page(job, i) for i in range(pages)]
            doomed.extend(keys.record(job, record.decode()) for record in records)
            for gen, children in enumerate(owners):
                doomed.extend(keys.fan_in(job, gen, int(child)) for child in children)
                doomed.append(keys.owners(job, gen))
            doomed.extend([keys.look(job), keys.sinks(job), keys.events(job), keys.targets(job), keys.job_inputs(job)])
            doomed += [keys.slowest(job), keys.first(job), keys.deaths(job), keys.healed(job), keys.values(job)]
            _unlink(redis, doomed)

    # Uploads.

    def put_upload(self, content_hash: str, data: bytes, seconds: float) -> None:
        with self._pool.connection() as redis:
            redis.call("SET", keys.uploaded_page(content_hash), data, "PX", _ms(seconds))

    def uploads(self, content_hashes: Sequence[str]) -> list[bytes | None]:
        if not content_hashes:
            return []
        with self._pool.connection() as redis:
            return cast(
                list["bytes | None"],
                redis.call("MGET", *(keys.uploaded_page(name) for name in content_hashes)),
            )

    def hold_input(self, content_hash: str, job: str, seconds: float) -> bytes | None:
        with self._pool.connection() as redis:
            held = [keys.uploaded_input(content_hash), keys.job_inputs(job)]
            return cast("bytes | None", scripts.HOLD_INPUT.call(redis, held, [job, content_hash, _ms(seconds)]))

    def place_input(self, content_hash: str, job: str, mark: bytes, owner: str, seconds: float) -> None:
        with self._pool.connection() as redis:
            held = [keys.uploaded_input(content_hash), keys.job_inputs(job)]
            scripts.PLACE_INPUT.call(redis, held, [job, content_hash, _ms(seconds), mark, owner])

    def lose_input(self, content_hash: str, mark: bytes) -> None:
        with self._pool.connection() as redis:
            scripts.LOSE_INPUT.call(redis, [keys.uploaded_input(content_hash)], [mark])

    def drop_inputs(self, job: str) -> list[str]:
        with self._pool.connection() as redis:
            held = keys.job_inputs(job)
            owners: dict[str, None] = {}
            if not (names := _members(redis, held)):
                return []
            for name in names:
                if not name.startswith(INPUT):
                    freed = scripts.DROP_INPUT.call(redis, [keys.uploaded_input(name), held], [job, name])
                    owners.update(dict.fromkeys(cast(bytes, freed or b"").decode().split()))
            # Those too that an earlier call, or one at the same time, has freed.
            owners.update(dict.fromkeys(name for name in _members(redis, held) if name.startswith(INPUT)))
        return list(owners)

    def forget_inputs(self, job: str) -> None:
        with self._pool.connection() as redis:
            redis.call("UNLINK", keys.job_inputs(job))

    # The ring.

    def put_ring(self, ring: Ring) -> None:
        text = ring.to_json()
        with self._pool.connection() as redis:
            redis.pipeline([["SET", keys.ring(ring.version), text], ["SET", keys.RING_NEWEST, text]])

    def ring(self, version: int) -> Ring | None:
        return self._ring(keys.ring(version))

    def newest_ring(self) -> Ring | None:
        return self._ring(keys.RING_NEWEST)

    def _ring(self, key: str) -> Ring | None:
        with self._pool.connection() as redis:
            text = cast("bytes | None", redis.call("GET", key))
        return Ring.from_json(text.decode()) if text else None

    # Executors.

    def begin(
        self, job: str, record: str, token: str, lease: float, pages: Sequence[int] = (), cold: bool = False
    ) -> Begun:
        with self._pool.connection() as redis:
            reply, *bodies = scripts.BEGIN.pipeline(
                redis,
                [keys.meta(job), keys.record(job, record), keys.look(job)],
                [token, _ms(lease), record, int(cold)],
                [["GET", keys.page(job, index)] for index in pages],
            )
        return replies.begun(cast(list[Any], reply), () if None in bodies else cast(list[bytes], bodies))

    def sync(self, job: str, record: str, token: str, generation: int, lease: float, sync: Sync) -> Synced:
        args: list[Arg] = [keys.prefix(job), record, token, generation, _ms(lease), int(sync.end)]
        counted = [(name, amount) for name in NAMES if (amount := getattr(sync.counters, name))]
        args += [
            f"{sync.current} {sync.current_key}",
            sync.memory,
            sync.memory_limit,
            len(counted),
            *chain.from_iterable(counted),
        ]
        args.append(len(sync.arrivals))
        for arrival in sync.arrivals:
            args += [arrival.child, arrival.need, len(arrival.marks)]
            args += chain.from_iterable(arrival.marks)
            args += [len(arrival.offers), *arrival.offers]
        args.append(len(sync.results))
        args += chain.from_iterable(sync.results)
        args.append(len(sync.logs))
        for log in sync.logs:
            args += [log.task, log.stream, log.text.encode(errors="replace"), log.key]
        args.append(len(sync.retried))
        for retried in sync.retried:
            args += [retried.task, retried.attempt, retried.text.encode(errors="replace"), retried.key]
        args.append(len(sync.slowest))
        for slow in sync.slowest:
            args += [slow.microseconds, f"{slow.task} {slow.key}"]
        args += [sync.number, sync.after, len(sync.gave), *sync.gave]
        with self._pool.connection() as redis:
            reply = scripts.SYNC.call(
                redis,
                [
                    *(keys.meta(job), keys.look(job), keys.record(job, record)),
                    *(keys.sinks(job), keys.events(job), keys.slowest(job), keys.values(job)),
                ],
                args,
            )
        status, *rest = cast(list[Any], reply)
        if status != b"OK":
            return Synced(Status(status.decode()))
        room, ended, freed, *answers = rest
        return Synced(Status.OK, [replies.answer(answer) for answer in answers], room, bool(ended), sorted(freed))

    def renew(self, job: str, record: str, token: str, generation: int, lease: float) -> Status:
        with self._pool.connection() as redis:
            reply = scripts.RENEW.call(
                redis,
                [keys.meta(job), keys.look(job), keys.record(job, record)],
                [record, token, generation, _ms(lease)],
            )
        return Status(cast(bytes, reply).decode())

    def offload(
        self,
        job: str,
        record: str,
        token: str,
        generation: int,
        offload: str,
        lease: float,
        pieces: Sequence[Record],
        end: bool = False,
    ) -> tuple[Status, int]:
        depth = max((piece.depth for piece in pieces), default=0)
        args: list[Arg] = [keys.prefix(job), record, token, generation, offload, int(end), _ms(lease), depth]
        args.append(len(pieces))
        args += chain.from_iterable((pack_tasks(piece.entries), pack_inputs(piece.inputs)) for piece in pieces)
        with self._pool.connection() as redis:
            held = [keys.meta(job), keys.look(job), keys.record(job, record), keys.values(job)]
            reply = scripts.OFFLOAD.call(redis, held, args)
        status, *accepted = cast(list[Any], reply)
        return Status(status.decode()), accepted[0] if accepted else 0

    def seek(
        self, job: str, record: str, token: str, generation: int, lease: float, task: int, mark: bytes | None
    ) -> Sought:
        with self._pool.connection() as redis:
            reply = scripts.SEEK.call(
                redis,
                [keys.meta(job), keys.look(job), keys.record(job, record), keys.healed(job)],
                [keys.prefix(job), record, token, generation, _ms(lease), task, int(mark is not None), mark or b""],
            )
        status, *rest = cast(list[Any], reply)
        return Sought(Status(status.decode()), *((rest[1] or None, bool(rest[0])) if rest else ()))

    def heal(self, job: str, record: str, token: str, generation: int, lease: float, task: int, mark: bytes) -> Status:
        with self._pool.connection() as redis:
            reply = scripts.HEAL.call(
                redis,
                [
                    *(keys.meta(job), keys.look(job), keys.record(job, record)),
                    *(keys.healed(job), keys.values(job)),
                ],
                [record, token, generation, _ms(lease), task, mark, job],
            )
        return Status(cast(bytes, reply).decode())

    def fail(self, job: str, record: str, token: str, generation: int, failure: Failure) -> Status:
        with self._pool.connection() as redis:
            reply = scripts.FAIL.call(
                redis,
                [keys.meta(job), keys.record(job, record), keys.events(job)],
                [token, generation, failure.to_json()],
            )
        return Status(cast(bytes, reply).decode())

    def pages(self, job: str, indices: Sequence[int]) -> list[bytes]:
        if not indices:
            return []
        with self._pool.connection() as redis:
            bodies = cast(list["bytes | None"], redis.call("MGET", *(keys.page(job, i) for i in indices)))
        if None in bodies:
            missing = indices[bodies.index(None)]
            raise ClusterUnavailable(
                f"page {missing} of job {job} is not in the metadata store; the job is over or lost"
            )
        return cast(list[bytes], bodies)

    def marks(self, job: str, generation: int, child: int, edges: Sequence[int]) -> list[bytes | None]:
        name = keys.fan_in(job, generation, child)
        batches = [edges[i : i + 10_000] for i in range(0, len(edges), 10_000)]
        with self._pool.connection() as redis:
            replies = redis.pipeline([["HMGET", name, *batch] for batch in batches])
        return cast(list["bytes | None"], list(chain.from_iterable(cast(list[list[Any]], replies))))

    def needed(self, job: str) -> tuple[set[str], set[bytes]]:
        with self._pool.connection() as redis:
            records = cast("list[bytes]", redis.call("ZRANGE", keys.look(job), 0, -1))
            commands: list[list[Arg]] = [["HGET", keys.record(job, record.decode()), "holder"] for record in records]
            # The values last: whoever is no holder any more has named what it could.
            *holders, values = redis.pipeline([*commands, ["HKEYS", keys.values(job)]])
        tokens = {token.decode() for token in cast(list["bytes | None"], holders) if token is not None}
        return tokens, set(cast(list[bytes], values))

    # Counters and the end.

    @property
    def reconnects(self) -> int:
        return self._pool.reconnects

    @property
    def round_trips(self) -> int:
        return self._pool.counters().round_trips

    @property
    def bytes_read(self) -> int:
        return self._pool.counters().bytes_received

    @property
    def bytes_written(self) -> int:
        return self._pool.counters().bytes_sent

    def close_connections(self) -> None:
        """Close every connection; the store can be used again, on new ones."""
        self._pool.close()


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _batches(pages: Sequence[bytes]) -> Iterator[tuple[int, Sequence[bytes]]]:
    """Cut pages into pipelines of about `LOAD_BYTES`, each with the index of its first page."""
    batch: list[bytes] = []
    first = size = 0
    for page in pages:
        batch.append(page)
        size += len(page)
        if size >= LOAD_BYTES:
            yield first, batch
            first, size, batch = first + len(batch), 0, []
    if batch:
        yield first, batch


def _members(redis: Connection, key: str) -> list[str]:
    return [name.decode() for name in cast(list[bytes], redis.call("SMEMBERS", key))]


def _unlink(redis: Connection, doomed: Sequence[str]) -> None:
    redis.pipeline([["UNLINK", *doomed[i : i + UNLINK_KEYS]] for i in range(0, len(doomed), UNLINK_KEYS)])
