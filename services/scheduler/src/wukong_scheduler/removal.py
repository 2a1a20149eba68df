"""Ends jobs, and removes what they stored or lets it live longer."""

from __future__ import annotations

import logging
import threading

from wukong.errors import ClusterUnavailable, UnknownJob
from wukong.kvs.access import Access
from wukong.kvs.redis import RedisKvs
from wukong.kvs.ring import Ring
from wukong.mds.failure import Failure
from wukong.mds.store import JobInfo, Mds
from wukong_scheduler.rings import Rings

#: Seconds that a removed job's name stays refused: twice the longest invocation of AWS Lambda.
TOMBSTONE = 1800

#: The states of a job whose values nobody wants although it was not removed.
ENDED_EMPTY = ("failed", "cancelled")

_log = logging.getLogger(__name__)


class Removal:
    """Cancels, releases and prolongs jobs. All calls block."""

    def __init__(self, mds: Mds, rings: Rings, access: Access) -> None:
        """`access` is that to the key-value store's nodes."""
        self._mds = mds
        self._rings = rings
        self._access = access
        self._lock = threading.Lock()
        self._kvs: tuple[Ring, RedisKvs] | None = None

    def cancel(self, job: str, reason: str) -> None:
        """End a job that has not ended, and free what its tasks stored."""
        message = f"the job was cancelled: {reason}" if reason else "the job was cancelled"
        if self._mds.close(job, "cancelled", Failure(error="JobCancelled", message=message)) != "cancelled":
            return
        self.free(job)

    def free(self, job: str) -> None:
        """Remove the values of a job that has ended without results."""
        info = self._mds.job(job)
        if info is not None:
            self._purge_values(info, [job])

    def release(self, job: str) -> None:
        """End a job that has not ended, and remove all that it stored but its tombstone. Harmless twice.

        Executors that were stopped in the middle may still write (`wukong_executor.late`). Whoever brings a job into
        a state in which nobody wants its values removes them after that, and a writer looks at the state after its
        last write: so one of both removes whatever is written.

        Raises:
            UnknownJob: There is not even a tombstone.
        """
        info = self._mds.job(job)
        if info is None:
            raise UnknownJob(job)
        state = info.state
        if state in ("loading", "running"):
            failure = Failure(error="JobCancelled", message="the job was released by its client before it ended")
            state = self._mds.close(job, "cancelled", failure)
        if state != "gone":
            # Before the tombstone: a release that is cut short here is repeated as a whole, by whoever finds the job.
            self._purge_values(info, [job, *self._mds.drop_inputs(job)])
            self._mds.purge(job, TOMBSTONE)
        if state not in ENDED_EMPTY:
            # And behind it: until it stood, whoever wrote late saw a job whose values somebody may want, and left them.
            self._purge_values(info, [job])

    def prolong(self, job: str, info: JobInfo, seconds: float) -> None:
        """Let a job that is done, and its values, live for that many seconds from now.

        Raises:
            ClusterUnavailable: A store cannot be reached; it may be tried again.
        """
        ring = self._rings.pinned(info.ring_version)
        if ring is not None:
            with self._lock:
                # The values first: the job says how long it lives, and is asked before this is done again.
                self._kvs_of(ring).prolong(job, seconds)
        self._mds.prolong(job, seconds)

    def close(self) -> None:
        """Close the connections to the nodes."""
        with self._lock:
            if self._kvs is not None:
                self._kvs[1].close()
                self._kvs = None

    def _purge_values(self, info: JobInfo, owners: list[str]) -> None:
        """Remove the owners' values on every node that may hold some."""
        ring = self._rings.pinned(info.ring_version)
        if ring is None:
            return
        with self._lock:
            kvs = self._kvs_of(ring)
            try:
                for owner in owners:
                    kvs.purge(owner)
            except ClusterUnavailable as error:
                # A node that is gone took its values along; what is left elsewhere expires.
                _log.warning("values of %s may be left behind: %s", ", ".join(owners), error)

    def _kvs_of(self, ring: Ring) -> RedisKvs:
        """The nodes of a ring. Whoever asks holds the lock."""
        if self._kvs is None or self._kvs[0] != ring:
            if self._kvs is not None:
                self._kvs[1].close()
            self._kvs = ring, self._access.store(ring, self._rings.newest)
        return self._kvs[1]
