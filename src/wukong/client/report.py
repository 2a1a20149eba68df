"""What a job did and moved, what it cost, and where the time went."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

from wukong.prices import dollars
from wukong.rpc.v1 import job_pb2

#: What a cost is made of.
COST = "(at AWS prices of executors alone; on your own machine nothing is charged)"


@dataclass(frozen=True, slots=True)
class TimeSpent:
    """Where the time of a job's executors went: seconds, summed over them. The parts together are all of it.

    Attributes:
        starting: From an invocation until its executor was ready: it became the holder, and opened its first tasks.
        running: Running tasks, and choosing the next one.
        reading: Getting inputs from the stores, and unpickling them.
        writing: Pickling outputs that others need, and writing the large ones.
        reporting: Talking to the metadata store.
        waiting: Nothing to run until outputs were written or reported beside it, or until a task that raised was to
            run again.
    """

    starting: float = 0.0
    running: float = 0.0
    reading: float = 0.0
    writing: float = 0.0
    reporting: float = 0.0
    waiting: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return sum(seconds for _, seconds in self.parts())

    def parts(self) -> Iterator[tuple[str, float]]:
        """Name and seconds of each part."""
        return ((field.name, getattr(self, field.name)) for field in fields(self))


@dataclass(frozen=True, slots=True)
class TaskTime:
    """How long one task ran.

    Attributes:
        task: The task's key, as text.
        seconds: How long, all its runs together where it was run again; without the pauses in between.
    """

    task: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """What a job did, so far or in all, summed over its executors. `str` is a text, and notebooks show a table.

    An executor tells with each beat, so what one did after its last beat before it died is not in it.

    Attributes:
        wall: Seconds from submission to the end.
        tasks: Tasks of the graph.
        tasks_run: Runs of tasks, without those that raised.
        tasks_run_again: Runs beyond the first ones; there are some only after a fault.
        healed: Runs that computed a value again because it was lost.
        executors: Executors that took part.
        cold_starts: Executors that started in a fresh environment.
        invocations: Invocations of the executor function.
        round_trips: Round trips of the executors to the stores.
        bytes_read: Bytes that executors read from the stores, but for the answers to their last reports.
        bytes_written: Bytes that executors wrote to the stores, but for those of their last reports.
        peak_memory: Resident bytes of one executor's process at most, Python and its libraries included.
        peak_stored: Bytes of task outputs at most that the KVS held at once: what was stored less what was freed. A
            value counts from the report of it on; uploads do not count, nor does what an executor left that died.
        gb_seconds: Seconds of each executor, rounded up to milliseconds as Lambda bills them, times the memory of its
            function in units of 1024 MB.
        cost_usd: US dollars for `gb_seconds` and `invocations` at AWS prices. Stores and services are not in it.
        time: Where the time of the executors went.
        slowest: The tasks that ran longest, at most five, the slowest first.
    """

    wall: float
    tasks: int
    tasks_run: int
    tasks_run_again: int
    healed: int
    executors: int
    cold_starts: int
    invocations: int
    round_trips: int
    bytes_read: int
    bytes_written: int
    peak_memory: int
    peak_stored: int
    gb_seconds: float
    cost_usd: float
    time: TimeSpent
    slowest: tuple[TaskTime, ...]

    @classmethod
    def of(cls, job: job_pb2.Job) -> Report:
        """The report of a job as the scheduler tells it."""
        report = job.report
        made: dict[str, Any] = {
            "wall": report.wall_seconds,
            "tasks_run_again": max(0, report.tasks_run - report.tasks),
            "time": TimeSpent(**{field.name: getattr(report.time, field.name) for field in fields(TimeSpent)}),
            "slowest": tuple(TaskTime(slow.key, slow.seconds) for slow in report.slowest),
        }
        same = {field.name: getattr(report, field.name) for field in fields(cls) if field.name not in made}
        return cls(**made, **same)

    def to_dict(self) -> dict[str, Any]:
        """All of it as numbers, strings, lists and dicts, ready for JSON."""
        return {**asdict(self), "slowest": [asdict(slow) for slow in self.slowest]}

    def __str__(self) -> str:
        (_, (summary, *_)), *rows = self._rows()
        lines = [summary]
        for title, (first, *others) in rows:
            lines.append(f"  {title:<9}{first}")
            lines += [f"{'':<11}{line}" for line in others]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr style="vertical-align:top"><th style="text-align:left">{html.escape(title)}</th>'
            f'<td style="text-align:left">{"<br>".join(map(html.escape, lines))}</td></tr>'
            for title, lines in self._rows()
        )
        return f"<table>{rows}</table>"

    def _rows(self) -> list[tuple[str, list[str]]]:
        """Titles, each with one line or more."""
        again = f" ({self.tasks_run_again:,} of them again)" if self.tasks_run_again else ""
        if self.healed:
            again = f" ({self.tasks_run_again:,} of them again, {self.healed:,} for lost values)"
        runs = f"{_count(self.tasks_run, 'run')} of {_count(self.tasks, 'task')}{again} in {self.wall:.3f} s"
        executors = _count(self.executors, "executor")
        cold = f"({self.cold_starts:,} cold, {_count(self.invocations, 'invocation')})"
        total = self.time.total
        time = [f"{total:.3f} s of executors"]
        if shares := [f"{seconds / total:.1%} {part}" for part, seconds in self.time.parts() if seconds > total / 1000]:
            time.append(", ".join(shares))
        read, written = f"{self.bytes_read / 1e6:,.1f} MB read", f"{self.bytes_written / 1e6:,.1f} MB written"
        cost = (
            f"{dollars(self.cost_usd)} for {self.gb_seconds:,.3f} GB-seconds and {_count(self.invocations, 'request')}"
        )
        memory = f"at most {self.peak_memory / 1e6:,.0f} MB in one executor"
        if self.peak_stored:
            memory += f", and {self.peak_stored / 1e6:,.1f} MB of values in the KVS"
        rows = [
            ("work", [f"{runs} by {executors} {cold}"]),
            ("time", time),
            ("stores", [f"{_count(self.round_trips, 'round trip')}, {read}, {written}"]),
            ("memory", [memory]),
            ("cost", [cost, COST]),
        ]
        if self.slowest:
            rows.append(("slowest", [f"{slow.seconds:.3f} s  {slow.task}" for slow in self.slowest]))
        return rows


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
