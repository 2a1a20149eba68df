"""One job, as the in-memory metadata store keeps it: the model of what the scripts do.

Every method is one step; the caller holds the store's lock and says what time it is. Times are milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import replace

from wukong.mds import keys
from wukong.mds.budget import over_budget
from wukong.mds.counters import Counters
from wukong.mds.failure import Failure
from wukong.mds.records import Record
from wukong.mds.spent import Spent
from wukong.mds.store import (
    PRINTED_BYTES,
    PRINTED_END,
    Answer,
    Arrival,
    Begun,
    Due,
    JobInfo,
    JobSpec,
    LogText,
    Sought,
    Status,
    Sweep,
    Sync,
    Synced,
    Verdict,
)
from wukong.testing.mds_events import EventStream
from wukong.testing.mds_fan_ins import FanIns
from wukong.testing.mds_meta import JobMeta
from wukong.testing.mds_record import LiveRecord
from wukong.testing.mds_values import NamedValues, Stored, stored

#: Silent records told of in one sweep.
SWEPT = 100


class MemoryJob:
    """A job from its creation to the end of its tombstone."""

    def __init__(self, name: str, spec: JobSpec, now: int, understand: Stored = stored) -> None:
        self.name = name
        self._understand = understand
        self.meta = JobMeta(spec, now)
        self._clear()

    def open(self, records: Sequence[Record], now: int, lease: int) -> str:
        """Loading -> running, with the initial records; returns the state."""
        if self.meta.state != "loading":
            return self.meta.state
        self.first.update((record.id, list(record.entries)) for record in records)
        self._start(now + lease)
        self.meta.state = "running"
        self.events.add_state(now, "running")
        return self.meta.state

    def begin(self, record: str, token: str, now: int, lease: int, cold: bool) -> Begun:
        """Become a record's holder. The ring and the pages are the store's to add."""
        if self.meta.state != "running":
            return Begun(Status.STOP)
        live = self.records.get(record)
        if live is None:
            return Begun(Status.GONE)
        if live.holder not in (None, token) and live.until > now:
            return Begun(Status.BUSY)
        if live.holder != token:
            live.begin()
            self.meta.count(Counters(executors=1, cold_starts=int(cold)))
        live.holder = token
        live.hold(now, lease)
        return Begun(
            status=Status.OK,
            generation=self.meta.generation,
            begins=live.begins,
            depth=live.depth,
            first_tasks=list(self.meta.spec.first_tasks),
            seconds_left=(self.meta.deadline - now) / 1000,
            parallelism=self.meta.spec.parallelism,
            json_results=self.meta.spec.json_results,
            runtime=self.meta.spec.runtime,
            policy=self.meta.spec.policy,
            entries=list(live.entries),
            inputs=list(live.inputs),
            claims=list(live.claims),
            given=[task for _, tasks in live.given.values() for task in tasks],
            restores=live.restores,
        )

    def sync(self, record: str, token: str, generation: int, now: int, lease: int, sync: Sync) -> Synced:
        """Beat, report, commit and end."""
        live = self._held(record, token, generation)
        if isinstance(live, Status):
            return Synced(live)
        live.hold(now, lease)
        gap = live.told < sync.after
        live.told = live.told if gap else max(live.told, sync.number)
        forgotten = gap or not live.given.keys() >= set(sync.gave)
        live.current, live.key = sync.current, sync.current_key
        live.memory, live.memory_limit = sync.memory, sync.memory_limit
        self.meta.count(sync.counters)
        freed: list[bytes] = []
        answers = [self._arrive(record, live, arrival, freed) for arrival in sync.arrivals]
        self._commit(sync.results, live, now)
        for log in sync.logs:
            self._print(log, now)
        for retried in sync.retried:
            self.events.add_retried(now, retried)
        self.meta.add_slow(sync.slowest)
        budget = self.meta.spec.budget
        if self.meta.state == "done":
            self.events.add_state(now, "done")
        elif budget is not None and budget.is_exceeded(self.meta.counters):
            seconds = (now - self.meta.created) / 1000
            spent = Spent.of(self.meta.counters, budget.prices, seconds, self.meta.spec.tasks)
            self.close("failed", over_budget(budget.max_cost_usd, spent), now)
            return Synced(Status.STOP)
        pending = any(
            answer.verdict is Verdict.CLAIMED or (answer.verdict is Verdict.NOT_YET and arrival.offers)
            for arrival, answer in zip(sync.arrivals, answers, strict=True)
        )
        ended = sync.end and not pending and not forgotten
        if ended:
            fan_ins = self.fan_ins[generation]
            if self.meta.state != "done":
                consumed = [mark for child in live.claims for mark in fan_ins.marks.get(child, {}).values()]
                freed += self.values.unnamed([*consumed, *live.values, *(mark for _, mark in live.inputs)])
            fan_ins.forget(live.claims)
            del self.records[record]
        return Synced(Status.OK, answers, self._room(), ended, sorted(freed))

    def renew(self, record: str, token: str, generation: int, now: int, lease: int) -> Status:
        """Renew the lease."""
        live = self._held(record, token, generation)
        if isinstance(live, Status):
            return live
        live.hold(now, lease)
        return Status.OK

    def offload(
        self,
        record: str,
        token: str,
        generation: int,
        offload: str,
        now: int,
        lease: int,
        pieces: Sequence[Record],
        end: bool,
    ) -> tuple[Status, int]:
        """Give pieces away, as many as there is room for (all with `end`)."""
        live = self._held(record, token, generation)
        if isinstance(live, Status):
            return live, 0
        live.hold(now, lease)
        if offload in live.given:
            return Status.OK, live.given[offload][0]
        accepted = pieces if end else pieces[: self._room()]
        depth = max((piece.depth for piece in pieces), default=0)
        for i, piece in enumerate(accepted):
            child = LiveRecord(list(piece.entries), list(piece.inputs), depth, now + lease, restores=live.restores)
            self.records[f"{offload}.{i}"] = child
            for _, mark in piece.inputs:
                self.values.named(mark, live)
        live.given[offload] = len(accepted), [task for piece in accepted for task in piece.entries]
        self.meta.count(Counters(invocations=len(accepted)))
        return Status.OK, len(accepted)

    def seek(
        self, record: str, token: str, generation: int, now: int, lease: int, task: int, mark: bytes | None
    ) -> Sought:
        """Where a lost value is, or whether to compute it again."""
        live = self._held(record, token, generation)
        if isinstance(live, Status):
            return Sought(live)
        live.hold(now, lease)
        kept = self.healed.get(task)
        if isinstance(kept, bytes):
            if kept != mark:
                return Sought(Status.OK, kept or None)  # an empty mark is none
        elif kept is not None and kept != (record, token):
            other = self.records.get(kept[0])
            if other is not None and other.holder == kept[1] and other.until > now:
                return Sought(Status.OK)
        if mark is not None:
            self.healed[task] = record, token
        return Sought(Status.OK, free=True)

    def heal(self, record: str, token: str, generation: int, now: int, lease: int, task: int, mark: bytes) -> Status:
        """Tell where a lost value is that was computed again."""
        live = self._held(record, token, generation)
        if isinstance(live, Status):
            return live
        live.hold(now, lease)
        self.healed[task] = mark
        self.values.named(mark, live)
        return Status.OK

    def fail(self, record: str, token: str, generation: int, failure: Failure, now: int) -> Status:
        """End the job with a task's error."""
        live = self._held(record, token, generation)
        if isinstance(live, Status):
            return live
        self.close("failed", failure, now)
        return Status.OK

    def close(self, state: str, failure: Failure | None, now: int) -> str:
        """End a job that is loading or running."""
        if self.meta.state in ("loading", "running"):
            self.meta.end(state, now, failure)
            self.events.add_state(now, state)
        return self.meta.state

    def sweep(self, now: int, pause: int) -> Sweep:
        """Find what needs attention."""
        if self.meta.state != "running":
            return Sweep(self.meta.state)
        stalled = not self.records and self.meta.left > 0
        looked_at = sorted((live.look, name) for name, live in self.records.items() if live.look <= now)
        due: list[Due] = []
        for _, name in looked_at[:SWEPT]:
            live = self.records[name]
            if live.until <= now:
                live.invokes += 1
                live.look = now + pause * 2 ** min(live.invokes - 2, 10)
                due.append(live.due(name, live.count_death(self.deaths)))
        self.meta.count(Counters(invocations=len(due)))
        return Sweep("running", due, stalled, now > self.meta.deadline, self.meta.generation)

    def restart(self, generation: int, now: int, lease: int) -> list[str] | None:
        """Start a stalled job again, in a new generation."""
        meta = self.meta
        if meta.state != "running" or meta.generation != generation or not meta.left or self.records:
            return []
        if not self.first:
            return None
        meta.generation += 1
        self.fan_ins.append(FanIns())
        self._start(now + lease)
        return list(self.first)

    def lost(self, record: str, holder: str, why: str, at_once: bool, now: int) -> bool:
        """Note what the platform says about an invocation; true if the next sweep looks at its record."""
        live = self.records.get(record)
        if self.meta.state != "running" or live is None:
            return False
        if live.holder is not None and not (holder and live.holder.startswith(holder)):
            return False
        live.why = live.begins, why
        if live.holder is not None and not at_once:
            live.current, live.key = -1, ""
        if not at_once or (live.holder is None and holder):
            return False
        live.until = live.look = now
        return True

    def lose_results(self, groups: Sequence[Sequence[tuple[int, bytes]]], now: int, lease: int) -> list[str]:
        """Have results again that are still what was missed; returns the records that are to do it."""
        meta = self.meta
        if meta.state not in ("running", "done"):
            return []
        lost = [self._lose(group) for group in groups]
        if any(lost) and meta.state == "done":
            meta.reopen()
            self.records.clear()
            self.events.add_state(now, "running")
        created: list[str] = []
        for group in filter(None, lost):
            meta.left += len(group)
            meta.losses += 1
            created.append(f"lost.{meta.losses}")
            self.records[created[-1]] = LiveRecord([sink for sink, _ in group], group, 0, now + lease, restores=True)
        meta.count(Counters(invocations=len(created)))
        return created

    def _lose(self, group: Sequence[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        lost = [(sink, mark) for sink, mark in dict.fromkeys(group) if self.results.get(sink) == mark]
        for sink, _ in lost:
            del self.results[sink]
        return lost

    def needed(self) -> tuple[set[str], set[bytes]]:
        """Who holds a record, and which values marks stand for."""
        return {live.holder for live in self.records.values() if live.holder is not None}, set(self.values.places)

    def bury(self, now: int, tombstone: int) -> None:
        """Remove all but the tombstone, which lives that long from the first time on."""
        if self.meta.state != "gone":
            self.meta.state = "gone"
            self.meta.expires = now + tombstone
        self._clear()

    def expire(self, now: int) -> None:
        """Forget what `prolong` has left to expire when the whole job would have."""
        if self.meta.prolonged and self.meta.work_expires < now:
            self._forget_work()

    def info(self) -> JobInfo:
        """The job's record."""
        return self.meta.info(len(self.records))

    def keys(self) -> list[str]:
        """The names of the keys that a server would hold for this job, but for its inputs."""
        name = self.name
        names = [keys.meta(name), *(keys.page(name, i) for i in self.pages)]
        names += [keys.record(name, record) for record in self.records]
        for generation, fan_ins in enumerate(self.fan_ins):
            names += [keys.fan_in(name, generation, child) for child in fan_ins.marks]
            names += [keys.owners(name, generation)] if fan_ins.owners else []
        held: dict[str, Sized] = {
            keys.look(name): self.records,
            keys.first(name): self.first,
            keys.deaths(name): self.deaths,
            keys.sinks(name): self.results,
            keys.events(name): self.events,
            keys.targets(name): self.targets,
            keys.slowest(name): self.meta.slowest,
            keys.healed(name): self.healed,
            keys.values(name): self.values.places,
        }
        return names + [key for key, content in held.items() if len(content)]

    # Inside.

    def _forget_work(self) -> None:
        self.records: dict[str, LiveRecord] = {}
        self.fan_ins = [FanIns() for _ in range(self.meta.generation + 1)]  # by generation
        self.first: dict[str, list[int]] = {}
        self.deaths: dict[int, int] = {}
        self.healed: dict[int, bytes | tuple[str, str]] = {}  # task -> mark, or record and token of who is at it
        self.values = NamedValues(self.name, self._understand, self._count_stored)

    def _clear(self) -> None:
        self._forget_work()
        self.results: dict[int, bytes] = {}
        self.events = EventStream()
        self.targets = b""
        self.pages: dict[int, bytes] = {}
        self.meta.slowest = []

    def _count_stored(self, nbytes: int) -> None:
        # A method of this: `meta` may be replaced, and a lambda would be that of the job that this was copied from.
        self.meta.store(nbytes)

    def _start(self, look: int) -> None:
        for name, entries in self.first.items():
            self.records[name] = LiveRecord(entries, (), 0, look)
        self.meta.count(Counters(invocations=len(self.first)))

    def _held(self, record: str, token: str, generation: int) -> LiveRecord | Status:
        """The guard: the record if the token holds it, else why the call is refused."""
        if self.meta.state != "running":
            return Status.STOP
        live = self.records.get(record)
        if live is None:
            return Status.GONE
        if generation != self.meta.generation or live.holder != token:
            return Status.STALE
        return live

    def _arrive(self, record: str, live: LiveRecord, arrival: Arrival, freed: list[bytes]) -> Answer:
        fan_ins = self.fan_ins[-1]
        if fan_ins.owners.get(arrival.child) is None:
            for edge, mark in arrival.marks:
                before = fan_ins.marks.get(arrival.child, {}).get(edge)
                if before != mark:
                    self.values.named(mark, live)
                    freed += self.values.unnamed([] if before is None else [before])
        answer = self.fan_ins[-1].arrive(record, arrival)
        if answer.verdict is Verdict.CLAIMED:
            live.claims[arrival.child] = None
        return answer

    def _print(self, log: LogText, now: int) -> None:
        if self.meta.printed < PRINTED_BYTES:
            self.meta.printed += len(log.text.encode(errors="replace"))
            full = self.meta.printed >= PRINTED_BYTES
            self.events.add_log(now, replace(log, text=log.text + PRINTED_END) if full else log)

    def _commit(self, results: Sequence[tuple[int, bytes]], live: LiveRecord, now: int) -> None:
        for sink, mark in results:
            if sink not in self.results:
                self.results[sink] = mark
                self.meta.left -= 1
                self.values.named(mark, live)
        if results and self.meta.left == 0:
            self.meta.end("done", now)

    def _room(self) -> int:
        return max(0, self.meta.spec.parallelism - len(self.records))
