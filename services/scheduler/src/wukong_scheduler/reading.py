"""Jobs as they stand in the metadata store, put into messages. All calls block."""

from __future__ import annotations

import time

from wukong.errors import UnknownJob
from wukong.mds.store import Mds
from wukong.rpc.v1 import job_pb2
from wukong_scheduler import messages
from wukong_scheduler.targets import Targets


class Reading:
    """Reads jobs."""

    def __init__(self, mds: Mds) -> None:
        self._mds = mds

    def job(self, name: str) -> job_pb2.Job:
        """One job; with its results if it is done.

        Raises:
            UnknownJob: There is no such job.
        """
        info = self._mds.job(name)
        if info is None:
            raise UnknownJob(name)
        message = messages.job(name, info, time.time())
        if info.state == "done":
            asked = Targets.decode(self._mds.targets(name))
            message.results.extend(messages.results(asked, self._mds.results(name, asked.tasks)))
        return message

    def jobs(self, limit: int) -> list[job_pb2.Job]:
        """The newest jobs, without their results."""
        found = [(info, name) for name, _ in self._mds.jobs() if (info := self._mds.job(name)) is not None]
        found.sort(key=lambda entry: entry[0].created, reverse=True)
        now = time.time()
        return [messages.job(name, info, now) for info, name in found[:limit]]
