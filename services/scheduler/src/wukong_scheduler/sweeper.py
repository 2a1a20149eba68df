"""Finds lost invocations, dead executors, passed deadlines and forgotten jobs, and acts on them.

Nothing is swept for one lease after the scheduler started, and after the metadata store was there again: holders wait
for it too, and come back first. What it forgot then looks like silence, and is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from wukong.errors import ClusterUnavailable, WukongError
from wukong.mds.failure import Failure
from wukong.mds.job_id import is_job_id
from wukong.mds.spent import Spent
from wukong.mds.store import Mds
from wukong.prices import Prices
from wukong_scheduler.invocation_end import InvocationEnd
from wukong_scheduler.invocations import Invoke
from wukong_scheduler.keeping import Keeping
from wukong_scheduler.removal import TOMBSTONE, Removal
from wukong_scheduler.sweeping import NOTHING_SPENT, expiring, forgotten, judge, stalled

#: Sweeps in the time of one lease.
LOOKS = 4

_log = logging.getLogger(__name__)


class Sweeper:
    """Sweeps all jobs, every quarter of a lease."""

    def __init__(
        self,
        mds: Mds,
        invoke: Invoke,
        removal: Removal,
        keeping: Keeping,
        *,
        lease: float,
        function: str,
        max_deaths: int,
        prices: Prices,
    ) -> None:
        """`lease` is an executor's, in seconds; `max_deaths` how often a task may end one before its job fails."""
        self._mds = mds
        self._invoke = invoke
        self._removal = removal
        self._lease = lease
        self._keeping = keeping
        self._function = function
        self._max_deaths = max_deaths
        self._prices = prices
        self._reconnects = mds.reconnects
        self._away = False
        self._resting = False  # the store is there again, and the next sweep is a lease away
        self._stopped = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Sweep in the background."""
        self._task = asyncio.create_task(self._run(), name="sweeper")

    async def close(self) -> None:
        """Stop; a sweep that is under way ends first."""
        self._stopped.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        pause = self._lease
        while not await self._stopped_within(pause):
            pause = self._lease / LOOKS
            try:
                if not await asyncio.to_thread(self.sweep):
                    pause = self._lease
            except WukongError as error:
                _log.warning("no sweep: %s", error)
            except Exception:
                # Whatever it is, the next sweep must come.
                _log.exception("the sweep was cut short")

    async def _stopped_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)
        return self._stopped.is_set()

    def sweep(self) -> bool:
        """Sweep every job once; trouble with one does not keep the others waiting.

        Returns whether the store is still the one of the last sweep. If it was away, or started again, the rest is
        left alone.

        Raises:
            WukongError: The store is away.
        """
        self._resting = False
        try:
            for job, _ in self._mds.jobs():
                if self._away or self._mds.reconnects != self._reconnects:
                    break
                try:
                    self._sweep(job)
                except ClusterUnavailable:
                    raise
                except WukongError as error:
                    _log.warning("job %s was not swept: %s", job, error)
        except ClusterUnavailable:
            self._away = True
            raise
        if not self._away and self._mds.reconnects == self._reconnects:
            return True
        _log.warning("the metadata store is there again; nothing is swept for %g s", self._lease)
        self._reconnects, self._away = self._mds.reconnects, False
        self._resting = True
        return False

    def ended(self, end: InvocationEnd) -> None:
        """Act on what the platform tells of an invocation, instead of waiting for the executor's lease to run out.

        Of a store that was away or started again the next sweep acts on it, when the other holders have come back.
        """
        if not is_job_id(end.job) or not self._mds.lost(end.job, end.record, end.holder, end.why, end.at_once):
            return
        if self._mds.reconnects == self._reconnects and not (self._away or self._resting):
            self._sweep(end.job)

    def _restart(self, job: str, generation: int) -> None:
        records = self._mds.restart(job, generation, self._lease)
        if records is None:
            self._fail(job, stalled(generation, "its first records are lost too"))
            return
        _log.warning("job %s had no executor left and not all results; it starts again", job)
        self._invoke(job, dict.fromkeys(records, ()))

    def _fail(self, job: str, failure: Failure) -> None:
        if self._mds.close(job, "failed", failure) != "done":
            self._removal.free(job)

    def _spent(self, job: str) -> Spent:
        info = self._mds.job(job)
        if info is None:
            return NOTHING_SPENT
        return Spent.of(info.counters, self._prices, time.time() - info.created, info.tasks)

    def _sweep(self, job: str) -> None:
        found = self._mds.sweep(job, self._lease)
        if found.state == "running":
            spent = self._spent(job) if found.expired else NOTHING_SPENT
            verdict = judge(found, self._function, self._max_deaths, spent)
            if verdict.restart:
                self._restart(job, found.generation)
            if verdict.failure is not None:
                _log.warning("job %s failed: %s", job, verdict.failure.message)
                self._fail(job, verdict.failure)
            self._invoke(job, dict.fromkeys(verdict.invoke, ()))
            return
        info = self._mds.job(job)
        if info is None:
            self._mds.purge(job, TOMBSTONE)
        elif forgotten(info, time.time(), self._keeping.asked(job), self._keeping.seconds):
            self._removal.release(job)
        elif expiring(info, time.time(), self._keeping.seconds):
            self._removal.prolong(job, info, 2 * self._keeping.seconds)
