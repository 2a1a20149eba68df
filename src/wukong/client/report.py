"""What a job did and moved."""

from __future__ import annotations

from dataclasses import dataclass

from wukong.rpc.v1 import job_pb2


@dataclass(frozen=True, slots=True)
class Report:
    """The counters of one job, summed over its executors.

    Attributes:
        wall: Seconds from submission to the end.
        tasks: Tasks of the graph.
        tasks_run: Runs of tasks; more than `tasks` only after a fault.
        executors: Executors that took part.
        cold_starts: Executors that started in a fresh environment.
        invocations: Invocations of the executor function.
        round_trips: Round trips of the executors to the stores.
        bytes_read: Bytes that executors read from the stores.
        bytes_written: Bytes that executors wrote to the stores.
    """

    wall: float
    tasks: int
    tasks_run: int
    executors: int
    cold_starts: int
    invocations: int
    round_trips: int
    bytes_read: int
    bytes_written: int

    @classmethod
    def of(cls, job: job_pb2.Job) -> Report:
        """The report of a job as the scheduler tells it."""
        report = job.report
        return cls(
            wall=report.wall_seconds,
            tasks=report.tasks,
            tasks_run=report.tasks_run,
            executors=report.executors,
            cold_starts=report.cold_starts,
            invocations=report.invocations,
            round_trips=report.round_trips,
            bytes_read=report.bytes_read,
            bytes_written=report.bytes_written,
        )

    def __str__(self) -> str:
        return (
            f"{self.tasks_run:,} runs of {self.tasks:,} tasks in {self.wall:.3f} s by {self.executors} executors "
            f"({self.cold_starts} cold, {self.invocations} invocations); {self.round_trips:,} store round trips, "
            f"{self.bytes_read / 1e6:,.1f} MB read, {self.bytes_written / 1e6:,.1f} MB written"
        )
