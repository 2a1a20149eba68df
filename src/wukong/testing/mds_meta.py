"""What the in-memory metadata store knows of a job as a whole: its state, times, counts and failure."""

from __future__ import annotations

import math
from collections.abc import Iterable

from wukong.mds.counters import Counters
from wukong.mds.failure import Failure
from wukong.mds.store import SLOWEST, JobInfo, JobSpec, TaskTime

#: How long keys outlive the job's deadline, in milliseconds.
GRACE = 900_000

#: Until how long before the end of its keys a job has time that runs again, if not longer anyway.
LAST = GRACE // 2


class JobMeta:
    """The facts of one job. Times are milliseconds.

    Attributes:
        spec: What the scheduler fixed.
        state: loading, running, done, failed, cancelled or gone.
        generation: How often it was started again.
        left: Sinks without a result.
        created: When it was created.
        ended: When it ended, or 0.
        deadline: When it has to have ended.
        expires: When its keys go.
        work_expires: When those go that are of no use to whoever wants its results.
        counters: What it has done and moved.
        failure: Why it failed.
        slowest: The tasks that ran longest, the slowest first.
        stored: Bytes of values in the KVS that marks stand for.
        printed: Bytes of text that tasks printed, as far as they were kept.
        losses: Records that were made for results that were lost.
    """

    def __init__(self, spec: JobSpec, now: int) -> None:
        self.spec = spec
        self.state = "loading"
        self.generation = 0
        self.left = spec.sinks
        self.created = now
        self.ended = 0
        self.deadline = now + int(spec.seconds * 1000)
        self.expires = self.work_expires = self.deadline + GRACE
        self.counters = Counters()
        self.failure: Failure | None = None
        self.slowest: list[TaskTime] = []
        self.stored = 0
        self.printed = 0
        self.losses = 0

    def end(self, state: str, now: int, failure: Failure | None = None) -> None:
        """It ended."""
        self.state = state
        self.ended = now
        self.failure = failure

    def reopen(self) -> None:
        """It was done, and runs again."""
        self.state = "running"
        self.ended = 0
        self.deadline = max(self.deadline, math.ceil(self.expires / 1000) * 1000 - LAST)
        self.work_expires = self.expires

    @property
    def prolonged(self) -> bool:
        """Whether a part of it lives longer than the rest."""
        return self.expires > self.work_expires

    def prolong(self, expires: int) -> bool:
        """Somebody needs the results of a job that is done until then."""
        longer = self.state == "done" and self.expires < expires
        if longer:
            self.expires = expires
        return longer

    def count(self, work: Counters) -> None:
        """What was done since."""
        self.counters += work

    def store(self, nbytes: int) -> None:
        """So many bytes more are in the KVS, or fewer."""
        self.stored += nbytes
        self.count(Counters(peak_stored=self.stored))

    def add_slow(self, times: Iterable[TaskTime]) -> None:
        """Runs of tasks that may be among the slowest. Of one task the last run counts."""
        by_member = {f"{time.task} {time.key}".encode(): time for time in (*self.slowest, *times)}
        longest = sorted(by_member, key=lambda member: (by_member[member].microseconds, member), reverse=True)
        self.slowest = [by_member[member] for member in longest[:SLOWEST]]

    def info(self, live_records: int) -> JobInfo:
        """The job's record, as users of the store see it."""
        spec = self.spec
        return JobInfo(
            state=self.state,
            generation=self.generation,
            tasks=spec.tasks,
            sinks=spec.sinks,
            sinks_left=self.left,
            parallelism=spec.parallelism,
            ring_version=spec.ring.version,
            live_records=live_records,
            created=self.created / 1000,
            ended=self.ended / 1000,
            deadline=self.deadline / 1000,
            expires=float(math.ceil(self.expires / 1000)),
            json_results=spec.json_results,
            policy=spec.policy,
            counters=self.counters,
            failure=self.failure,
            slowest=list(self.slowest),
        )
