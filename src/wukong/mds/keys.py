"""Every key of the metadata store, and nothing else that knows how one is spelt.

A job's keys share the prefix `w:{job}` and expire together. The Lua scripts get the prefix and append the same
suffixes; `docs/protocol.md` is the table that both follow.
"""

from __future__ import annotations

JOBS = "w:jobs"
"""Sorted set: job -> deadline (unix seconds)."""

RING_NEWEST = "w:ring"
"""String: the newest ring, as JSON."""

RESERVED = frozenset({"in", "jobs", "ring", "up"})
"""What stands behind `w:` in keys that belong to no job. No job has such an id (`wukong.mds.job_id`)."""


def prefix(job: str) -> str:
    """What every key of a job starts with."""
    return f"w:{job}"


def meta(job: str) -> str:
    """Hash: state, generation, sinks left, parallelism, ring version, counters, error."""
    return f"w:{job}:m"


def page(job: str, index: int) -> str:
    """String: one signed page."""
    return f"w:{job}:p:{index}"


def look(job: str) -> str:
    """Sorted set: live record -> when the scheduler looks at it next (milliseconds)."""
    return f"w:{job}:look"


def record(job: str, record_id: str) -> str:
    """Hash: the record as `docs/protocol.md` has it; `c:{child}` for claims, `g:{offload}` for what it gave."""
    return f"w:{job}:r:{record_id}"


def fan_in(job: str, generation: int, child: int) -> str:
    """Hash: edge -> mark."""
    return f"w:{job}:f:{generation}:{child}"


def first(job: str) -> str:
    """Hash: first record -> its entries, to start the job again."""
    return f"w:{job}:first"


def deaths(job: str) -> str:
    """Hash: task -> how many holders ended while they ran it."""
    return f"w:{job}:d"


def owners(job: str, generation: int) -> str:
    """Hash: child -> the record that claimed it, or empty while only marks exist."""
    return f"w:{job}:o:{generation}"


def sinks(job: str) -> str:
    """Hash: sink -> mark."""
    return f"w:{job}:s"


def healed(job: str) -> str:
    """Hash: task -> `M` and the mark of its value, which was lost and computed again, or `L` and who is at it."""
    return f"w:{job}:h"


def values(job: str) -> str:
    """Hash: mark of a manifest -> the places that name its value: marks, and the record that named it first."""
    return f"w:{job}:v"


def slowest(job: str) -> str:
    """Sorted set: task and its name -> microseconds that it ran; the few largest."""
    return f"w:{job}:slow"


def targets(job: str) -> str:
    """String: which sinks were asked for, as the scheduler wrote it."""
    return f"w:{job}:t"


def events(job: str) -> str:
    """Stream of the job's events; also the name of the channel that announces them."""
    return f"w:{job}:e"


def job_inputs(job: str) -> str:
    """Set: hashes of the uploaded inputs that the job holds, and owners of copies that it freed and has to purge."""
    return f"w:{job}:i"


def uploaded_input(content_hash: str) -> str:
    """Hash: `mark`, the `owners` of all copies, and one field `h:{holder}` per holder, of one uploaded input."""
    return f"w:in:{content_hash}"


def uploaded_page(content_hash: str) -> str:
    """String: a page uploaded ahead of its job."""
    return f"w:up:{content_hash}"


def ring(version: int) -> str:
    """String: one version of the ring, as JSON."""
    return f"w:ring:{version}"


EVENT_CHANNELS = "w:*:e"
"""Pattern of the channels on which jobs announce events."""


def job_of_channel(channel: str) -> str:
    """The job whose events a channel announces."""
    return channel.removeprefix("w:").removesuffix(":e")
