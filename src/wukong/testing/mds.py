"""The metadata store in memory, for tests and simulations.

`MemoryMds` answers as the real store does; `tests/contract` holds both to the same suite. It is a model of what the
scripts promise, not of a Redis: jobs are objects, and `keys` says which keys a server would hold for them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from wukong.errors import ClusterUnavailable
from wukong.kvs.ring import Ring
from wukong.mds import keys
from wukong.mds.failure import Failure
from wukong.mds.records import Record
from wukong.mds.store import Begun, Event, JobInfo, JobSpec, Sought, Status, Sweep, Sync, Synced
from wukong.testing.mds_job import MemoryJob
from wukong.testing.mds_meta import JobMeta
from wukong.testing.mds_uploads import Uploads
from wukong.testing.mds_values import Stored, stored


class MemoryMds:
    """`wukong.mds.store.Mds` in memory; see there.

    Args:
        clock: The store's clock, in seconds since the epoch (`wukong.testing.clock.Clock` for one under control).
        understand: Says what a mark stands for; simulations have marks of their own.

    Attributes:
        reconnects: See `Mds.reconnects`; whoever makes it forget something counts it up.
    """

    def __init__(self, clock: Callable[[], float] = time.time, understand: Stored = stored) -> None:
        self._clock = clock
        self._understand = understand
        self._lock = threading.Lock()
        self._calls = 0
        self.reconnects = 0
        self._jobs: dict[str, MemoryJob] = {}
        self._listed: dict[str, float] = {}
        self._uploads = Uploads()
        self._rings: dict[int, Ring] = {}
        self._newest: Ring | None = None

    def keys(self) -> list[str]:
        """The names of all keys that a server would hold now, sorted."""
        with self._lock:
            self._expire()
            names = [*self._uploads.keys(), *(keys.ring(version) for version in self._rings)]
            for job in self._jobs.values():
                names += job.keys()
            if self._listed:
                names.append(keys.JOBS)
            if self._newest is not None:
                names.append(keys.RING_NEWEST)
            return sorted(names)

    # Jobs.

    def submit(self, job: str, spec: JobSpec, pages: Sequence[bytes], records: Sequence[Record], lease: float) -> str:
        # As on a server: the pages are written between two steps, and others may come in between.
        with self._step() as now:
            submitted = self._jobs.setdefault(job, MemoryJob(job, spec, now, self._understand))
            if submitted.meta.state != "loading":
                return submitted.meta.state
            submitted.meta = JobMeta(spec, now)
            self._listed[job] = submitted.meta.deadline // 1000
            self._rings.setdefault(spec.ring.version, spec.ring)
        for index, page in enumerate(pages):
            submitted.pages[index] = page
        with self._step():
            submitted.targets = spec.targets
            self._uploads.keep(job, spec.inputs, submitted.meta.expires)
        initial = list(records)
        with self._step() as now:
            state = submitted.open(initial, now, _ms(lease))
            if state == "gone":
                submitted.bury(now, 0)
                self._uploads.forget(job)
            return state

    def job(self, job: str) -> JobInfo | None:
        with self._step():
            return self._jobs[job].info() if job in self._jobs else None

    def jobs(self) -> list[tuple[str, float]]:
        with self._step():
            return sorted(self._listed.items(), key=lambda item: (item[1], item[0]))

    def events(self, job: str, after: str = "0", count: int = 1000) -> list[Event]:
        with self._step():
            return self._jobs[job].events.after(after, count) if job in self._jobs else []

    def results(self, job: str, tasks: Sequence[int]) -> list[bytes | None]:
        with self._step():
            committed = self._jobs[job].results if job in self._jobs else {}
            return [committed.get(task) for task in tasks]

    def targets(self, job: str) -> bytes:
        with self._step():
            return self._jobs[job].targets if job in self._jobs else b""

    def sweep(self, job: str, pause: float) -> Sweep:
        with self._step() as now:
            return self._jobs[job].sweep(now, _ms(pause)) if job in self._jobs else Sweep("gone")

    def lost(self, job: str, record: str, holder: str, why: str, at_once: bool) -> bool:
        with self._step() as now:
            return job in self._jobs and self._jobs[job].lost(record, holder, why, at_once, now)

    def restart(self, job: str, generation: int, lease: float) -> list[str] | None:
        with self._step() as now:
            return self._jobs[job].restart(generation, now, _ms(lease)) if job in self._jobs else []

    def lose_results(self, job: str, groups: Sequence[Sequence[tuple[int, bytes]]], lease: float) -> list[str]:
        with self._step() as now:
            if job not in self._jobs:
                return []
            created = self._jobs[job].lose_results(groups, now, _ms(lease))
            if job in self._listed:
                self._listed[job] = self._jobs[job].meta.deadline // 1000
            return created

    def close(self, job: str, state: str, failure: Failure | None = None) -> str:
        with self._step() as now:
            return self._jobs[job].close(state, failure, now) if job in self._jobs else "gone"

    def prolong(self, job: str, seconds: float) -> bool:
        with self._step() as now:
            longer = job in self._jobs and self._jobs[job].meta.prolong(now + _ms(seconds))
            if longer:
                self._uploads.prolong(job, self._jobs[job].meta.expires)
            return longer

    def purge(self, job: str, tombstone: float) -> None:
        with self._step() as now:
            self._listed.pop(job, None)
            if job in self._jobs:
                self._jobs[job].bury(now, max(1, int(tombstone)) * 1000)
                self._uploads.forget(job)

    # Uploads.

    def put_upload(self, content_hash: str, data: bytes, seconds: float) -> None:
        with self._step() as now:
            self._uploads.put_page(content_hash, data, now + _ms(seconds))

    def uploads(self, content_hashes: Sequence[str]) -> list[bytes | None]:
        with self._step():
            return [self._uploads.page(name) for name in content_hashes]

    def hold_input(self, content_hash: str, job: str, seconds: float) -> bytes | None:
        with self._step() as now:
            return self._uploads.hold(content_hash, job, now + _ms(seconds))

    def place_input(self, content_hash: str, job: str, mark: bytes, owner: str, seconds: float) -> None:
        with self._step() as now:
            self._uploads.place(content_hash, job, mark, owner, now + _ms(seconds))

    def lose_input(self, content_hash: str, mark: bytes) -> None:
        with self._step():
            self._uploads.lose(content_hash, mark)

    def drop_inputs(self, job: str) -> list[str]:
        with self._step():
            return self._uploads.drop(job)

    def forget_inputs(self, job: str) -> None:
        with self._step():
            self._uploads.forget(job)

    # The ring.

    def put_ring(self, ring: Ring) -> None:
        with self._step():
            self._rings[ring.version] = self._newest = ring

    def ring(self, version: int) -> Ring | None:
        with self._step():
            return self._rings.get(version)

    def newest_ring(self) -> Ring | None:
        with self._step():
            return self._newest

    # Executors.

    def begin(
        self, job: str, record: str, token: str, lease: float, pages: Sequence[int] = (), cold: bool = False
    ) -> Begun:
        with self._step() as now:
            if job not in self._jobs:
                return Begun(Status.STOP)
            held = self._jobs[job]
            begun = held.begin(record, token, now, _ms(lease), cold)
            if begun.status is not Status.OK:
                return begun
            bodies = [held.pages[index] for index in pages] if held.pages.keys() >= set(pages) else ()
            return replace(begun, ring=self._rings[held.meta.spec.ring.version], pages=bodies)

    def sync(self, job: str, record: str, token: str, generation: int, lease: float, sync: Sync) -> Synced:
        with self._step() as now:
            if job not in self._jobs:
                return Synced(Status.STOP)
            return self._jobs[job].sync(record, token, generation, now, _ms(lease), sync)

    def renew(self, job: str, record: str, token: str, generation: int, lease: float) -> Status:
        with self._step() as now:
            if job not in self._jobs:
                return Status.STOP
            return self._jobs[job].renew(record, token, generation, now, _ms(lease))

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
        with self._step() as now:
            if job not in self._jobs:
                return Status.STOP, 0
            held = self._jobs[job]
            return held.offload(record, token, generation, offload, now, _ms(lease), pieces, end)

    def seek(
        self, job: str, record: str, token: str, generation: int, lease: float, task: int, mark: bytes | None
    ) -> Sought:
        with self._step() as now:
            if job not in self._jobs:
                return Sought(Status.STOP)
            return self._jobs[job].seek(record, token, generation, now, _ms(lease), task, mark)

    def heal(self, job: str, record: str, token: str, generation: int, lease: float, task: int, mark: bytes) -> Status:
        with self._step() as now:
            if job not in self._jobs:
                return Status.STOP
            return self._jobs[job].heal(record, token, generation, now, _ms(lease), task, mark)

    def fail(self, job: str, record: str, token: str, generation: int, failure: Failure) -> Status:
        with self._step() as now:
            if job not in self._jobs:
                return Status.STOP
            return self._jobs[job].fail(record, token, generation, failure, now)

    def pages(self, job: str, indices: Sequence[int]) -> list[bytes]:
        with self._step():
            bodies = self._jobs[job].pages if job in self._jobs else {}
            for index in indices:
                if index not in bodies:
                    raise ClusterUnavailable(
                        f"page {index} of job {job} is not in the metadata store; the job is over or lost"
                    )
            return [bodies[index] for index in indices]

    def marks(self, job: str, generation: int, child: int, edges: Sequence[int]) -> list[bytes | None]:
        with self._step():
            fan_ins = self._jobs[job].fan_ins if job in self._jobs else []
            return fan_ins[generation].read(child, edges) if generation < len(fan_ins) else [None] * len(edges)

    def needed(self, job: str) -> tuple[set[str], set[bytes]]:
        with self._step():
            return self._jobs[job].needed() if job in self._jobs else (set(), set())

    # Counters.

    @property
    def round_trips(self) -> int:
        return self._calls

    @property
    def bytes_read(self) -> int:
        return 0

    @property
    def bytes_written(self) -> int:
        return 0

    @contextmanager
    def _step(self) -> Iterator[int]:
        """One atomic step of a call, at the time (milliseconds) that it gets."""
        with self._lock:
            self._calls += 1
            yield self._expire()

    def _expire(self) -> int:
        """Forget what is past its time; returns the time."""
        now = _ms(self._clock())
        self._uploads.expire(now)
        self._jobs = {name: job for name, job in self._jobs.items() if job.meta.expires >= now}
        for job in self._jobs.values():
            job.expire(now)
        return now


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
