"""Removes what an executor has written for a job that was purged meanwhile, or has ended without results.

The metadata store refuses whoever is late, and so leaves nothing of a purged job but its tombstone. The key-value store
knows of no jobs: what an executor had on its way there at the purge, or wrote before it heard of it, would stay until
the job's time is over. Every value is reported after it was written, so its writer hears of the end then, at the
latest. Then it looks whether anybody wants the job's values, after its last write; and who decides that nobody does
(a failure, `wukong_scheduler.removal`) removes them after that. So whatever was written before the decision that one
removes, and whatever was written after it the writer does, wherever it was stopped and for however long.
"""

from __future__ import annotations

import contextlib
from typing import Final

from wukong.errors import WukongError
from wukong.kvs.store import Kvs
from wukong.mds.store import Mds

#: The states of jobs whose values nobody wants. Whoever brings a job there removes its values afterwards.
OVER: Final = ("failed", "cancelled", "gone")


def remove(mds: Mds, kvs: Kvs, job: str) -> None:
    """Remove a job's values, if nobody wants any of them. Call it when nothing more is written."""
    with contextlib.suppress(WukongError):  # then they stay until they expire
        info = mds.job(job)
        # Of a job that is unknown, another life may begin: its client submits it again.
        if info is not None and info.state in OVER:
            kvs.purge(job)
