"""Follows one job for one watcher: what stands in its stream, then what comes, until it ends.

A job that was done may run again, for a result that was lost: then its former end is not told, since a watcher takes
the first one that it hears of for the last.

News is pushed (`announcements`); once in a while a watcher looks without being told, for the progress that
executors only count, and in case that an announcement was lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from wukong.errors import UnknownJob
from wukong.mds.store import Event, JobInfo, Mds
from wukong.rpc.v1 import event_pb2
from wukong_scheduler import messages
from wukong_scheduler.announcements import Announcements
from wukong_scheduler.reading import Reading

#: Seconds between two looks at a job's progress.
PROGRESS_SECONDS = 1.0

#: Events read at once.
_BATCH = 1000


async def watch(
    job: str, after: str, mds: Mds, reading: Reading, announcements: Announcements
) -> AsyncIterator[event_pb2.JobEvent]:
    """The job's events after the one with sequence `after` (empty: from the first on), until it has ended.

    Raises:
        UnknownJob: There is no such job, or it was forgotten meanwhile.
    """
    seen = after or "0"
    told: tuple[str, int, int] | None = None
    with announcements.bell(job) as bell:
        while True:
            bell.clear()
            entries, info, last = await asyncio.to_thread(_look, mds, reading, job, seen)
            if info is None:
                raise UnknownJob(job)
            for entry in entries:
                seen = entry.sequence
                if not _final(entry):
                    yield messages.event(entry)
            if last is not None:
                yield last
                return
            if len(entries) == _BATCH or info.state in messages.FINAL:
                continue
            counts = info.state, info.counters.tasks_run, info.live_records
            if counts != told:
                told = counts
                if info.state == "loading":
                    # Nobody can watch a job before its submission was answered: the store forgot the rest of it.
                    yield event_pb2.JobEvent(state=event_pb2.StateChange(state=messages.state(info.state)))
                yield event_pb2.JobEvent(progress=messages.progress(info))
            try:
                await asyncio.wait_for(bell.wait(), PROGRESS_SECONDS)
            except TimeoutError:
                # Told again although nothing may have changed: whoever shows it knows that the job is alive.
                told = None


def _look(
    mds: Mds, reading: Reading, job: str, after: str
) -> tuple[list[Event], JobInfo | None, event_pb2.JobEvent | None]:
    """The next events, the job, and the event that tells its end, if it has ended and all others are told by then.

    All of it in one thread: a job of one task takes no longer than a few hops between threads.
    """
    # Its events after the job: those of one that has ended by then are all there.
    info = mds.job(job)
    entries = mds.events(job, after, _BATCH)
    ends = bool(entries) and _final(entries[-1])
    if ends and info is not None and info.state not in messages.FINAL:
        info = mds.job(job)  # it ended in between, or has run again since
    if info is None or info.state not in messages.FINAL or (entries and not ends):
        return entries, info, None
    if entries:
        last = messages.event(entries[-1])
    else:
        # Its last event is behind the caller, or was lost with the store's last second.
        last = event_pb2.JobEvent(state=event_pb2.StateChange(state=messages.state(info.state)))
    reading.fill(last.state.job, job, info)
    return entries, info, last


def _final(entry: Event) -> bool:
    return entry.kind == "state" and entry.text in messages.FINAL
