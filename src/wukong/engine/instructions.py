"""What the walk tells its shell to do. The shell carries an instruction out and reports back with the named call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class RunTask(NamedTuple):
    """Run a task on the values of `inputs`, all in memory. Answered by `Walk.task_finished`."""

    task: int
    inputs: list[int]


class FetchPages(NamedTuple):
    """Load pages, by index. Answered by `Walk.pages_loaded`."""

    indices: list[int]


class FetchMarks(NamedTuple):
    """Read where the values of some edges of a fan-in are. Answered by `Walk.marks_read`, with those that are known."""

    child: int
    edges: list[int]


class Fetch(NamedTuple):
    """Bring values into memory: (task, mark). Answered by `Walk.fetched`, and `Pulls.lost` for those that are gone."""

    values: list[tuple[int, bytes]]


class Seek(NamedTuple):
    """Ask whether somebody has computed a lost value again, or is at it. Answered by `Pulls.sought`.

    Attributes:
        task: The value.
        mark: Where it could not be read. Others who look for it then leave it to this walk, if they are not at it.
            None for a value that was stored nowhere.
    """

    task: int
    mark: bytes | None


class Heal(NamedTuple):
    """Store a value that was computed again, and tell others where. Answered by `Pulls.healed`."""

    task: int


class Edge(NamedTuple):
    """One arrival at a fan-in: the edge, the parent whose value it carries, and its mark if that is stored."""

    edge: int
    parent: int
    mark: bytes | None


class Arrivals(NamedTuple):
    """All that this executor has for one fan-in."""

    child: int
    need: int
    edges: list[Edge]


class Report(NamedTuple):
    """Mark small and stored values, offer the others, commit results, end if `end`. Answered by `Walk.reported`."""

    arrivals: list[Arrivals]
    results: list[tuple[int, bytes | None]]
    end: bool


class Store(NamedTuple):
    """Write values that somebody else will read to the KVS. Answered by `Walk.stored`.

    Attributes:
        tasks: The values.
        together: Those of them that only one fan-in uses, by fan-in: whoever reads one reads all of its group.
    """

    tasks: list[int]
    together: list[list[int]]


class Piece(NamedTuple):
    """Work to give away: entry tasks, and the values that they need: (task, mark).

    A value without a mark is in memory, and is to be stored; one with an empty mark is nowhere.
    """

    entries: list[int]
    inputs: list[tuple[int, bytes | None]]


class Offload(NamedTuple):
    """Create one record per piece and invoke an executor for each one accepted. Answered by `Walk.offloaded`.

    With `end` all of them are accepted, since this holder does no more.
    """

    sequence: int
    pieces: list[Piece]
    end: bool = False


class Renew(NamedTuple):
    """Renew the lease, for the main thread's instruction takes long. Not answered, unless the walk has to stop."""


class Wait(NamedTuple):
    """Nothing to do until the other thread's instruction is answered, or until these seconds are over."""

    seconds: float | None = None


class Stop(NamedTuple):
    """The record has ended, or is no longer this executor's."""


@dataclass(frozen=True, slots=True)
class ReportAnswer:
    """What became of one `Arrivals`.

    Attributes:
        child: The fan-in.
        verdict: C (claimed), T (taken) or N (not yet).
        marked: Edges whose marks are in the store now.
        offered: Edges that were offered only.
        marks: For a claim, the marks of the other edges; None where they were too many to send.
    """

    child: int
    verdict: str
    marked: list[int]
    offered: list[int]
    marks: list[tuple[int, bytes]] | None


Instruction = RunTask | FetchPages | FetchMarks | Fetch | Seek | Heal | Report | Store | Offload | Renew | Wait | Stop
