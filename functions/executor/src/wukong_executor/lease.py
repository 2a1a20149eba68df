"""The lease of one holder on its record: the calls to the metadata store that only it may make, and that renew it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wukong.mds.failure import Failure
from wukong.mds.records import Record
from wukong.mds.store import Mds, Sought, Status, Sync, Synced


@dataclass(frozen=True)
class Lease:
    """What `wukong.mds.store.Mds` says of each of these calls, for one holder.

    Attributes:
        mds: The metadata store.
        job: The job.
        record: The record.
        token: The holder's.
        generation: Of the job, when the holder began.
        seconds: For which each call renews the lease.
    """

    mds: Mds
    job: str
    record: str
    token: str
    generation: int
    seconds: float

    def sync(self, call: Sync) -> Synced:
        """Report, tell and end."""
        return self.mds.sync(self.job, self.record, self.token, self.generation, self.seconds, call)

    def renew(self) -> Status:
        """Nothing else."""
        return self.mds.renew(self.job, self.record, self.token, self.generation, self.seconds)

    def offload(self, offload: str, pieces: Sequence[Record], end: bool) -> tuple[Status, int]:
        """Make records of pieces; returns how many were accepted."""
        return self.mds.offload(self.job, self.record, self.token, self.generation, offload, self.seconds, pieces, end)

    def seek(self, task: int, mark: bytes | None) -> Sought:
        """Ask where a value is that could not be read."""
        return self.mds.seek(self.job, self.record, self.token, self.generation, self.seconds, task, mark)

    def heal(self, task: int, mark: bytes) -> Status:
        """Tell where a value is that was computed again."""
        return self.mds.heal(self.job, self.record, self.token, self.generation, self.seconds, task, mark)

    def fail(self, failure: Failure) -> Status:
        """End the job."""
        return self.mds.fail(self.job, self.record, self.token, self.generation, failure)
