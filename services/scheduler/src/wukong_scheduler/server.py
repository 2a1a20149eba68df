"""Wires the scheduler's parts and serves them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from importlib.metadata import version

from wukong.mds.failure import Failure
from wukong.mds.redis import RedisMds
from wukong.rpc import server
from wukong.rpc.service import Service
from wukong.rpc.v1 import scheduler_pb2_grpc
from wukong_scheduler.announcements import Announcements
from wukong_scheduler.config import Config
from wukong_scheduler.ecs_service import EcsService
from wukong_scheduler.failure_queue import FailureQueue
from wukong_scheduler.invocations import Invocations
from wukong_scheduler.keeping import Keeping
from wukong_scheduler.providing import Providing
from wukong_scheduler.removal import Removal
from wukong_scheduler.restoring import Restoring
from wukong_scheduler.rings import Rings
from wukong_scheduler.scaler import Scaler
from wukong_scheduler.servicer import SchedulerServicer
from wukong_scheduler.submission import Submission
from wukong_scheduler.sweeper import Sweeper

_log = logging.getLogger(__name__)

SERVICE = "wukong.rpc.v1.Scheduler"


class Scheduler:
    """A started scheduler, with all that ends with it."""

    def __init__(
        self,
        served: Service,
        mds: RedisMds,
        invocations: Invocations,
        removal: Removal,
        announcements: Announcements,
        sweeper: Sweeper,
        failures: FailureQueue | None,
        scaler: Scaler | None,
    ) -> None:
        self._served = served
        self._mds = mds
        self._invocations = invocations
        self._removal = removal
        self._announcements = announcements
        self._sweeper = sweeper
        self._failures = failures
        self._scaler = scaler

    @property
    def address(self) -> str:
        """host:port that it accepts connections on."""
        return self._served.address

    async def close(self) -> None:
        """Refuse new calls, end those under way, and free everything. Jobs go on without their scheduler."""
        await self._served.close()
        await self._sweeper.close()
        if self._scaler is not None:
            await self._scaler.close()
        if self._failures is not None:
            await asyncio.to_thread(self._failures.close)
        await self._announcements.close()
        # In a thread: the endpoint may live in this very loop, and has to answer what is under way.
        await asyncio.to_thread(self._invocations.close)
        self._removal.close()
        self._mds.close_connections()


async def serve(environ: Mapping[str, str]) -> Service:
    """Start the scheduler in the running event loop; it accepts calls when this returns.

    Raises:
        InvalidSetting: A variable is missing, or not what it must be.
        ClusterUnavailable: The address cannot be listened on.
    """
    config = Config.read(environ)
    there, here = config.runtime.packages.get("wukong"), version("wukong")
    if there and there != here:
        _log.warning("executors have Wukong %s and this scheduler is %s; deploy both from one release", there, here)
    authority = config.kvs.authority
    mds = RedisMds(config.mds_address, password=config.store_password, user=config.store_user, authority=authority)

    def refused(job: str, failure: Failure) -> None:
        mds.close(job, "failed", failure)

    rings = Rings(mds)
    removal = Removal(mds, rings, config.kvs)
    announcements = Announcements(config.mds_address, config.store_password, config.store_user, authority)
    invocations = Invocations(config.lambda_endpoint, config.function, config.spreading, refused, config.pacing)
    keeping = Keeping(config.keep)
    submission = Submission(config, mds, rings, invocations.start)
    restoring = Restoring(mds, removal, invocations.start, config.lease, config.keep)
    scaler = None
    if config.kvs_service:
        scaler = Scaler(EcsService(config.kvs_service), config.kvs_sizes, mds, rings, config.kvs)
    providing = Providing(scaler, rings)
    servicer = SchedulerServicer(config, mds, rings, submission, removal, announcements, keeping, restoring, providing)
    sweeper = Sweeper(
        *(mds, invocations.start_directly, removal, keeping),
        lease=config.lease,
        function=config.function,
        max_deaths=config.max_deaths,
        prices=config.prices,
    )
    try:
        served = await server.start(
            config.listen,
            lambda grpc_server: scheduler_pb2_grpc.add_SchedulerServicer_to_server(servicer, grpc_server),
            config.token,
            [SERVICE],
            tls=config.tls,
            rates=config.rates,
        )
    except BaseException:
        await asyncio.to_thread(invocations.close)
        raise
    announcements.start()
    sweeper.start()
    if scaler is not None:
        scaler.start()
    failures = None
    if config.failure_queue:
        failures = FailureQueue(config.failure_queue, config.lambda_endpoint, sweeper.ended)
        failures.start()
    return Scheduler(served, mds, invocations, removal, announcements, sweeper, failures, scaler)
