"""The Scheduler's methods. Each hands its work to the part that does it, and what blocks to a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from wukong.errors import LimitExceeded, UnknownJob
from wukong.mds.job_id import is_job_id
from wukong.mds.store import Mds
from wukong.rpc.server import Context
from wukong.rpc.v1 import cluster_pb2, event_pb2, graph_pb2, job_pb2, scheduler_pb2, scheduler_pb2_grpc
from wukong.values.signing import Signer
from wukong_scheduler.announcements import Announcements
from wukong_scheduler.cluster import describe
from wukong_scheduler.config import Config
from wukong_scheduler.keeping import Keeping
from wukong_scheduler.providing import Providing
from wukong_scheduler.reading import Reading
from wukong_scheduler.removal import Removal
from wukong_scheduler.restoring import Restoring
from wukong_scheduler.rings import Rings
from wukong_scheduler.submission import Submission
from wukong_scheduler.watch import watch

#: Jobs that ListJobs answers where the caller does not say how many.
LISTED = 100

#: Jobs that it answers at most, and that KeepJobs takes at most: more of them keep the others waiting.
MOST_LISTED = 10_000
MOST_KEPT = 100_000


class SchedulerServicer(scheduler_pb2_grpc.SchedulerServicer):
    """The service as `scheduler.proto` describes it."""

    def __init__(
        self,
        config: Config,
        mds: Mds,
        rings: Rings,
        submission: Submission,
        removal: Removal,
        announcements: Announcements,
        keeping: Keeping,
        restoring: Restoring,
        providing: Providing,
    ) -> None:
        self._config = config
        self._mds = mds
        self._rings = rings
        self._submission = submission
        self._removal = removal
        self._announcements = announcements
        self._keeping = keeping
        self._restoring = restoring
        self._providing = providing
        self._reading = Reading(mds, Signer(config.signing_key), config.prices)

    async def GetCluster(  # noqa: N802
        self, request: scheduler_pb2.GetClusterRequest, context: Context
    ) -> cluster_pb2.Cluster:
        """What a client must know about the cluster."""
        return describe(self._config, await asyncio.to_thread(self._rings.newest))

    async def UploadPages(  # noqa: N802
        self, request_iterator: AsyncIterator[graph_pb2.Page], context: Context
    ) -> scheduler_pb2.UploadPagesResponse:
        """Keep pages for a job to come."""
        pages = nbytes = 0
        async for page in request_iterator:
            nbytes += len(page.data)
            self._config.limits.hold("payload_bytes", nbytes)
            await asyncio.to_thread(self._submission.keep_page, page)
            pages += 1
        return scheduler_pb2.UploadPagesResponse(pages=pages)

    async def SubmitJob(  # noqa: N802
        self, request: scheduler_pb2.SubmitJobRequest, context: Context
    ) -> scheduler_pb2.SubmitJobResponse:
        """Validate a job and start it, when there are the KVS nodes that it needs."""
        await self._providing.provide(request.options)
        return await asyncio.to_thread(self._submission.submit, request)

    async def GetJob(self, request: job_pb2.JobRef, context: Context) -> job_pb2.Job:  # noqa: N802
        """A job with its results."""
        return await asyncio.to_thread(self._reading.job, _possible(request.job_id))

    async def RestoreResults(  # noqa: N802
        self, request: scheduler_pb2.RestoreResultsRequest, context: Context
    ) -> job_pb2.Job:
        """Have results of a job computed again that are lost."""
        job = _possible(request.job_id)
        await asyncio.to_thread(self._restoring.restore, job, request.results)
        return await asyncio.to_thread(self._reading.job, job)

    async def WatchJob(  # noqa: N802
        self, request: scheduler_pb2.WatchJobRequest, context: Context
    ) -> AsyncIterator[event_pb2.JobEvent]:
        """What happens to a job, until it has ended."""
        job = _possible(request.job_id)
        async for event in watch(job, request.after_sequence, self._mds, self._reading, self._announcements):
            yield event

    async def ListJobs(  # noqa: N802
        self, request: scheduler_pb2.ListJobsRequest, context: Context
    ) -> scheduler_pb2.ListJobsResponse:
        """The newest jobs."""
        limit = request.limit or LISTED
        if limit > MOST_LISTED:
            raise LimitExceeded("jobs of one ListJobs", limit, MOST_LISTED, "Ask for fewer.")
        jobs = await asyncio.to_thread(self._reading.jobs, limit)
        return scheduler_pb2.ListJobsResponse(jobs=jobs)

    async def CancelJob(  # noqa: N802
        self, request: scheduler_pb2.CancelJobRequest, context: Context
    ) -> job_pb2.Job:
        """Stop a job."""
        job = _possible(request.job_id)
        await asyncio.to_thread(self._removal.cancel, job, request.reason)
        return await asyncio.to_thread(self._reading.job, job)

    async def ReleaseJob(  # noqa: N802
        self, request: job_pb2.JobRef, context: Context
    ) -> scheduler_pb2.ReleaseJobResponse:
        """Remove a job."""
        await asyncio.to_thread(self._removal.release, _possible(request.job_id))
        return scheduler_pb2.ReleaseJobResponse()

    async def KeepJobs(  # noqa: N802
        self, request: scheduler_pb2.KeepJobsRequest, context: Context
    ) -> scheduler_pb2.KeepJobsResponse:
        """Keep jobs that have ended."""
        if len(request.job_ids) > MOST_KEPT:
            raise LimitExceeded("jobs of one KeepJobs", len(request.job_ids), MOST_KEPT, "Name them in several calls.")
        self._keeping.keep(request.job_ids)
        return scheduler_pb2.KeepJobsResponse()

    async def ScaleKvs(  # noqa: N802
        self, request: scheduler_pb2.ScaleKvsRequest, context: Context
    ) -> AsyncIterator[scheduler_pb2.KvsScale]:
        """Start and end KVS nodes."""
        async for standing in self._providing.scale(request.nodes, request.at_least):
            yield scheduler_pb2.KvsScale(
                wanted=standing.wanted, running=standing.running, registered=standing.registered
            )


def _possible(job: str) -> str:
    """The id, where a job can have it at all; else it is that of an unknown job, and never becomes a part of a key."""
    if not is_job_id(job):
        raise UnknownJob(job)
    return job
