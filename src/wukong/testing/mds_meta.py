"""What the in-memory metadata store knows of a job as a whole: its state, times, counts and failure."""

from __future__ import annotations

from dataclasses import replace

from wukong.mds.failure import Failure
from wukong.mds.store import Counters, JobInfo, JobSpec

#: How long keys outlive the job's deadline, in milliseconds.
GRACE = 900_000


class JobMeta:
    """The facts of one job. Times are milliseconds.

    Attributes:
        spec: What the scheduler fixed.
        state: loading, running, done, failed, cancelled or gone.
        left: Sinks without a result.
        created: When it was created.
        ended: When it ended, or 0.
        deadline: When it has to have ended.
        expires: When its keys go.
        counters: What it has done and moved.
        failure: Why it failed.
    """

    def __init__(self, spec: JobSpec, now: int) -> None:
        self.spec = spec
        self.state = "loading"
        self.left = spec.sinks
        self.created = now
        self.ended = 0
        self.deadline = now + int(spec.seconds * 1000)
        self.expires = self.deadline + GRACE
        self.counters = Counters()
        self.failure: Failure | None = None

    def end(self, state: str, now: int, failure: Failure | None = None) -> None:
        """It ended."""
        self.state = state
        self.ended = now
        self.failure = failure

    def count_holder(self, cold: bool) -> None:
        """A record was begun."""
        counters = self.counters
        self.counters = replace(
            counters, executors=counters.executors + 1, cold_starts=counters.cold_starts + int(cold)
        )

    def count_invocations(self, number: int) -> None:
        """Invocations were asked for."""
        self.counters = replace(self.counters, invocations=self.counters.invocations + number)

    def count_work(self, work: Counters) -> None:
        """A holder told what it did."""
        counters = self.counters
        self.counters = replace(
            counters,
            tasks_run=counters.tasks_run + work.tasks_run,
            round_trips=counters.round_trips + work.round_trips,
            bytes_read=counters.bytes_read + work.bytes_read,
            bytes_written=counters.bytes_written + work.bytes_written,
        )

    def info(self, live_records: int) -> JobInfo:
        """The job's record, as users of the store see it."""
        spec = self.spec
        return JobInfo(
            state=self.state,
            generation=0,
            tasks=spec.tasks,
            sinks=spec.sinks,
            sinks_left=self.left,
            parallelism=spec.parallelism,
            ring_version=spec.ring.version,
            live_records=live_records,
            created=self.created / 1000,
            ended=self.ended / 1000,
            deadline=self.deadline / 1000,
            json_results=spec.json_results,
            counters=self.counters,
            failure=self.failure,
        )
