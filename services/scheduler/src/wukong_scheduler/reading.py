"""Jobs as they stand in the metadata store, put into messages. All calls block."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from wukong.errors import UnknownJob, ValueRefused
from wukong.mds.store import JobInfo, Mds
from wukong.prices import Prices
from wukong.rpc.v1 import job_pb2
from wukong.values.signing import SIZE, Signer
from wukong_scheduler import messages
from wukong_scheduler.targets import Targets

_log = logging.getLogger(__name__)


class Reading:
    """Reads jobs."""

    def __init__(self, mds: Mds, signer: Signer, prices: Prices) -> None:
        """`prices` are those of executors, for reports."""
        self._mds = mds
        self._prices = prices
        self._signer = signer

    def job(self, name: str) -> job_pb2.Job:
        """One job; with its results if it is done.

        Raises:
            UnknownJob: There is no such job.
        """
        message = job_pb2.Job()
        self.fill(message, name)
        return message

    def fill(self, message: job_pb2.Job, name: str, known: JobInfo | None = None) -> None:
        """Put a job into an empty message, which may be a part of another one. Else as `job`.

        Args:
            message: Where to put it.
            name: The job.
            known: What was read of the job just now, if it was.
        """
        info = known or self._mds.job(name)
        if info is None:
            raise UnknownJob(name)
        message.MergeFrom(messages.job(name, self._verified(name, info), time.time(), self._prices))
        if info.state == "done":
            asked = Targets.decode(self._mds.targets(name))
            messages.add_results(message, asked, self._mds.results(name, asked.tasks))

    def jobs(self, limit: int) -> list[job_pb2.Job]:
        """The newest jobs, without their results."""
        found = [(info, name) for name, _ in self._mds.jobs() if (info := self._mds.job(name)) is not None]
        found.sort(key=lambda entry: entry[0].created, reverse=True)
        now = time.time()
        return [messages.job(name, self._verified(name, info), now, self._prices) for info, name in found[:limit]]

    def _verified(self, name: str, info: JobInfo) -> JobInfo:
        """The job with its pickled exception free of the signature, or without it if the signature is not ours."""
        failure = info.failure
        if failure is None or not failure.exception:
            return info
        signature, pickled = failure.exception[:SIZE], failure.exception[SIZE:]
        try:
            self._signer.verify(f"failure:{name}", signature, pickled)
        except ValueRefused:
            _log.warning("job %s: the pickled exception in the metadata store is not signed by this cluster", name)
            pickled = b""
        return replace(info, failure=replace(failure, exception=pickled))
