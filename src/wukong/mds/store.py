"""The metadata store as its users see it: what can be asked, and what comes back.

Two implementations pass the same contract tests: `wukong.mds.redis.RedisMds` against a real server, and
`wukong.testing.mds.MemoryMds`. The rules behind each call are in `docs/protocol.md`. All calls block, and may be made
from several threads. Times are seconds; the clock is the store's own.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from wukong.kvs.ring import Ring
from wukong.mds.budget import Budget
from wukong.mds.counters import NOTHING, Counters
from wukong.mds.failure import Failure
from wukong.mds.records import Record


class Status(enum.Enum):
    """What a guarded script says before anything else."""

    OK = "OK"
    STOP = "STOP"
    """The job is not running: it ended, or it is unknown."""
    GONE = "GONE"
    """The record ended or never was; a late or duplicate invocation stops here."""
    BUSY = "BUSY"
    """Another holder has the record's lease."""
    STALE = "STALE"
    """The token or the generation is no longer the record's."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What the scheduler fixes when it creates a job.

    Attributes:
        tasks: Number of tasks.
        sinks: Number of distinct tasks whose values were asked for.
        pages: Number of pages.
        first_tasks: Id of the first task of each page.
        parallelism: Most records that live at once.
        ring: The ring that the job is pinned to.
        seconds: Until the deadline; keys live a grace longer.
        json_results: Whether sinks are committed as JSON (jobs of calls).
        inputs: Hashes of the uploaded inputs that the job holds.
        runtime: The executors' manifest that the job was accepted for (`wukong.runtime`), as JSON; empty for any.
        targets: Which sinks were asked for, in the scheduler's own encoding; nobody else reads it.
        budget: What it may cost; None for no limit.
        policy: How work spreads: a name in `wukong.engine.policy.named`.
    """

    tasks: int
    sinks: int
    pages: int
    first_tasks: Sequence[int]
    parallelism: int
    ring: Ring
    seconds: float
    json_results: bool = False
    inputs: Sequence[str] = ()
    targets: bytes = b""
    runtime: str = ""
    budget: Budget | None = None
    policy: str = "heartbeat"


@dataclass(frozen=True, slots=True)
class TaskTime:
    """How long one run of a task took. `key` is the task's name for the user (`wukong.graph.name`)."""

    task: int
    key: str
    microseconds: int


#: How many of a job's slowest tasks are kept.
SLOWEST = 5

#: Bytes of printed text that one job keeps. The text that reaches it is kept whole, with a word behind it.
PRINTED_BYTES = 4 * 1024 * 1024
PRINTED_END = "\n... (the rest of what the job prints is in the logs of its environments)\n"


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A job's record. `state` is loading, running, done, failed, cancelled or gone; `expires` is when its keys go.

    The slowest task comes first.
    """

    state: str
    generation: int
    tasks: int
    sinks: int
    sinks_left: int
    parallelism: int
    ring_version: int
    live_records: int
    created: float
    ended: float
    deadline: float
    expires: float
    json_results: bool
    counters: Counters
    failure: Failure | None
    slowest: Sequence[TaskTime] = ()
    policy: str = "heartbeat"


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a job's stream.

    `kind` is `state` (text: the new state), `log` (task, key, stream, text) or `retried` (task, key, attempt, text: the
    error).
    """

    sequence: str
    kind: str
    text: str
    task: int = -1
    stream: str = ""
    key: str = ""
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Begun:
    """The answer to `begin`: all that a holder needs to start walking. Only `status` counts unless it is OK.

    `pages` are all pages that were asked for, in that order; or none, where one of them is missing. `restores` is
    whether the entries are results that were lost.
    """

    status: Status
    generation: int = 0
    begins: int = 0
    depth: int = 0
    first_tasks: Sequence[int] = ()
    ring: Ring | None = None
    seconds_left: float = 0.0
    parallelism: int = 1
    json_results: bool = False
    runtime: str = ""
    policy: str = "heartbeat"
    entries: Sequence[int] = ()
    inputs: Sequence[tuple[int, bytes]] = ()
    claims: Sequence[int] = ()
    given: Sequence[int] = ()
    pages: Sequence[bytes] = ()
    restores: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one executor has for one fan-in.

    Attributes:
        child: The fan-in.
        need: Number of its distinct parents.
        marks: Edges whose values can be read: (edge, mark).
        offers: Edges whose values are here but stored nowhere.
    """

    child: int
    need: int
    marks: Sequence[tuple[int, bytes]]
    offers: Sequence[int] = ()


class Verdict(enum.Enum):
    """The answer to one arrival."""

    CLAIMED = "C"
    TAKEN = "T"
    NOT_YET = "N"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one arrival. A claim of more than 256 edges brings no marks: read them with `marks`."""

    verdict: Verdict
    marks: Sequence[tuple[int, bytes]] = ()


@dataclass(frozen=True, slots=True)
class LogText:
    """Text that a task printed. `stream` is stdout or stderr; `key` is the task's name for the user."""

    task: int
    stream: str
    text: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Retried:
    """A task raised and is run again. `attempt` is which run of it raised, the first is 1; `text` says what."""

    task: int
    attempt: int
    text: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Sync:
    """One beat, report, commit and end, in one call.

    Attributes:
        arrivals: Fan-ins to report; at most 500 marks and 256 KiB of them in one call.
        results: Sinks to commit: (task, mark).
        current: The task that runs now, or -1; with the memory in use it explains a lost executor.
        memory: Resident bytes now.
        memory_limit: Bytes that the function may use; 0 if unknown.
        counters: What happened since the last sync that was answered.
        logs: What tasks printed since then.
        slowest: Runs of tasks since then that may be among the job's slowest; at most `SLOWEST` of them.
        end: End the record, unless this call claims something or leaves an offer unanswered, or the store has forgotten
            what the caller was told before: the call with the number `after`, or an offload that it `gave`.
        retried: Tasks that raised since then and are run again.
        current_key: The current task's name for the user.
        number: The caller's number of this call, from 1 on; 0 for one that it would not miss.
        after: The number of the last call that was acknowledged; 0 for none.
        gave: Offloads that were, as far as a store may have forgotten them; only an end needs them.
    """

    arrivals: Sequence[Arrival] = ()
    results: Sequence[tuple[int, bytes]] = ()
    current: int = -1
    memory: int = 0
    memory_limit: int = 0
    counters: Counters = NOTHING
    logs: Sequence[LogText] = ()
    slowest: Sequence[TaskTime] = ()
    end: bool = False
    retried: Sequence[Retried] = ()
    current_key: str = ""
    number: int = 0
    after: int = 0
    gave: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Synced:
    """The answer to `sync`. `room` is how many more records the job may have now.

    `freed` are the marks of manifests whose values no mark of the job stands for any more.
    """

    status: Status
    answers: Sequence[Answer] = ()
    room: int = 0
    ended: bool = False
    freed: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class Sought:
    """The answer to `seek`: the mark of a lost value that somebody computed again, or whether that is left to do.

    It is not `free` while somebody else is at it.
    """

    status: Status
    mark: bytes | None = None
    free: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """A record that the sweep found silent: never begun, or its holder's lease ran out (`begins` > 0).

    `why` is what the platform said about the end of its last holder, or of an invocation that nobody began; empty
    where it said nothing. `key` is the current task's name for the user. `deaths` is how many holders have ended while
    they ran that task, or, where none is current, how many of this record's did before they ran one.
    """

    record: str
    begins: int
    invokes: int
    current: int
    memory: int
    memory_limit: int
    why: str = ""
    key: str = ""
    deaths: int = 0


@dataclass(frozen=True, slots=True)
class Sweep:
    """What needs the scheduler's attention in one job."""

    state: str
    due: Sequence[Due] = ()
    stalled: bool = False
    expired: bool = False
    generation: int = 0


class Mds(Protocol):
    """The metadata store."""

    # Jobs: the scheduler's side.

    def submit(self, job: str, spec: JobSpec, pages: Sequence[bytes], records: Sequence[Record], lease: float) -> str:
        """Create a job, write its signed pages, then its initial records and the state running in one step.

        Repeating it is harmless: a job that exists is left as it is, one that was left half written is completed.
        Returns the state after the call. A record that nobody began is looked at after `lease` seconds.
        """

    def job(self, job: str) -> JobInfo | None:
        """A job's record; None if it is unknown or only its tombstone is left after its time."""

    def jobs(self) -> list[tuple[str, float]]:
        """Jobs that were not purged, with their deadlines (unix seconds)."""

    def events(self, job: str, after: str = "0", count: int = 1000) -> list[Event]:
        """Events after a sequence number, oldest first."""

    def results(self, job: str, tasks: Sequence[int]) -> list[bytes | None]:
        """Marks of committed sinks, in the order asked."""

    def targets(self, job: str) -> bytes:
        """What the job's `JobSpec.targets` was; empty when the job was purged."""

    def sweep(self, job: str, pause: float) -> Sweep:
        """Find silent records, a stall, a passed deadline. A record is found again after `pause`, then twice that."""

    def lost(self, job: str, record: str, holder: str, why: str, at_once: bool) -> bool:
        """Note what the platform says about an invocation for a record that came to nothing.

        `holder` is that with which the tokens of that invocation begin (`wukong.mds.tokens`), or empty where it never
        ran. If its token holds the record, or if it never ran and nobody has begun the record, `at_once` ends the lease
        and has the next sweep look at the record; returns whether that is so. Where somebody else holds the record,
        nothing changes.
        """

    def restart(self, job: str, generation: int, lease: float) -> list[str] | None:
        """Start a job again that stalled in this generation: its first records, in the next one.

        What was committed stays. Returns the records to invoke, none where the job is not stalled (any more); None
        where its first records are lost.
        """

    def lose_results(self, job: str, groups: Sequence[Sequence[tuple[int, bytes]]], lease: float) -> list[str]:
        """Say that results, as (sink, mark), cannot be read. They are to be had again: a job that is done runs again.

        Nothing happens to a result that has another mark by now, or none, nor in a job that neither runs nor is done.
        Each group in which there are others becomes a record, whose executor commits them anew: what is still there, or
        was computed again for somebody else, as it is. Returns these records, which are to be invoked.

        A job that runs again keeps its budget and its deadline; that is moved where the job's keys live for longer.
        """

    def close(self, job: str, state: str, failure: Failure | None = None) -> str:
        """End a job that is loading or running; returns the state that it then has."""

    def prolong(self, job: str, seconds: float) -> bool:
        """Let a job that is done live for that many seconds from now; returns whether it lives longer by that."""

    def purge(self, job: str, tombstone: float) -> None:
        """Remove all of a job but its tombstone, which lives that many seconds."""

    # Uploads.

    def put_upload(self, content_hash: str, data: bytes, seconds: float) -> None:
        """Keep a page that was uploaded ahead of its job."""

    def uploads(self, content_hashes: Sequence[str]) -> list[bytes | None]:
        """Pages uploaded before, in the order asked."""

    def hold_input(self, content_hash: str, job: str, seconds: float) -> bytes | None:
        """Hold a known input for a job and return its mark; None if it is unknown or would expire too soon."""

    def place_input(self, content_hash: str, job: str, mark: bytes, owner: str, seconds: float) -> None:
        """Say where an uploaded input is, and hold it for a job.

        `owner` is whose the bytes of this upload are in the KVS, and nothing else (`wukong.kvs.keys.upload_owner`).
        Where a copy is known that lives longer, that one stays the one that others are told of.
        """

    def lose_input(self, content_hash: str, mark: bytes) -> None:
        """Forget where an input is, if that is where it was missed: it is unknown until it is placed again."""

    def drop_inputs(self, job: str) -> list[str]:
        """Let go of a job's inputs; returns the owners of all copies of those that nobody holds any more.

        What they have in the KVS is to be purged: nobody is told of these copies again, but who calls this again for
        the same job before `purge` or `forget_inputs`.
        """

    def forget_inputs(self, job: str) -> None:
        """Say that what `drop_inputs` returned is purged; for holders that are no jobs, which `purge` does it for."""

    # The ring.

    def put_ring(self, ring: Ring) -> None:
        """Keep a new version of the ring."""

    def ring(self, version: int) -> Ring | None:
        """One version of the ring."""

    def newest_ring(self) -> Ring | None:
        """The newest version of the ring."""

    # Executors.

    def begin(
        self, job: str, record: str, token: str, lease: float, pages: Sequence[int] = (), cold: bool = False
    ) -> Begun:
        """Become a record's holder. `pages` are fetched in the same round trip, all of them or none (`Begun`)."""

    def sync(self, job: str, record: str, token: str, generation: int, lease: float, sync: Sync) -> Synced:
        """Beat, report, commit and end. STOP also where the job exceeds its budget with this call, which ends it."""

    def renew(self, job: str, record: str, token: str, generation: int, lease: float) -> Status:
        """Renew the lease and nothing else."""

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
        """Give pieces away; returns how many were accepted, from the first on. The same id gets the same answer.

        Piece i becomes record `{offload}.{i}`, whatever id it carries. With `end` all are accepted. Renews the lease.
        """

    def seek(
        self, job: str, record: str, token: str, generation: int, lease: float, task: int, mark: bytes | None
    ) -> Sought:
        """Ask for a value that is lost, before computing it again. Renews the lease.

        With the `mark` where it could not be read, it is left to the caller if it is free: until `heal`, or until
        another holder has the caller's record or its lease ran out, it is free for nobody else. Without one, for a
        value that was stored nowhere, everybody may compute it.
        """

    def heal(self, job: str, record: str, token: str, generation: int, lease: float, task: int, mark: bytes) -> Status:
        """Tell where a lost value is that was computed again. Renews the lease."""

    def fail(self, job: str, record: str, token: str, generation: int, failure: Failure) -> Status:
        """End the job with a task's error."""

    def pages(self, job: str, indices: Sequence[int]) -> list[bytes]:
        """Signed pages, in the order asked."""

    def marks(self, job: str, generation: int, child: int, edges: Sequence[int]) -> list[bytes | None]:
        """Marks of some edges of a claimed fan-in."""

    def needed(self, job: str) -> tuple[set[str], set[bytes]]:
        """The tokens of all who hold a record of a job, and the marks of manifests whose values its marks stand for.

        What somebody else has stored by now, and is not named by then, nobody can find.
        """

    # Counters of this process, for reports.

    @property
    def reconnects(self) -> int:
        """How often the store was found to have started again, and so may have forgotten its last second."""

    @property
    def round_trips(self) -> int:
        """Blocking round trips made so far."""

    @property
    def bytes_read(self) -> int:
        """Bytes received so far."""

    @property
    def bytes_written(self) -> int:
        """Bytes sent so far."""
