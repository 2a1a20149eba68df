"""Carries out what `scaling` decides: asks the nodes and ECS, has nodes started and ended, and waits for them.

One lock orders all decisions, so that no job comes between the look that finds nothing in use and the end of the nodes.
A second scheduler, for the moment in which one takes the place of another, may do the same; what it misses is found by
`Scaling.stranded`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from wukong.errors import ClusterUnavailable, WukongError
from wukong.kvs.access import Access
from wukong.mds.store import Mds
from wukong_scheduler.ecs_service import EcsService, Fleet
from wukong_scheduler.rings import Rings
from wukong_scheduler.roll_call import RollCall
from wukong_scheduler.scaling import Scaling, Seen, Sizes

#: Seconds between looks at nodes that are waited for, and for which what was seen is believed, by all who wait.
PAUSE, FRESH = 2.0, 1.0

#: The most seconds between looks whether the nodes are idle, and how many there are before they have been so for long.
LOOK, LOOKS = 30.0, 4

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a change is: nodes that there shall be, tasks that run, nodes that are in the ring and answer."""

    wanted: int
    running: int
    registered: int


class Scaler:
    """Starts and ends the nodes of the key-value store.

    Args:
        service: What ECS runs them as.
        sizes: How many there may be, and when.
        mds: Knows the jobs.
        rings: The ring.
        access: To the nodes.
    """

    def __init__(self, service: EcsService, sizes: Sizes, mds: Mds, rings: Rings, access: Access) -> None:
        self._service = service
        self._sizes = sizes
        self._mds = mds
        self._rings = rings
        self._roll_call = RollCall(access)
        self._scaling = Scaling(sizes, time.monotonic())
        self._order = asyncio.Lock()
        self._stopped = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        #: Ids of the nodes that were told to end together.
        self._leaving: frozenset[str] = frozenset()
        self._seen: tuple[float, Seen] | None = None
        self._fleet: tuple[float, Fleet] | None = None

    def start(self) -> None:
        """Look in the background whether the nodes are idle, where they shall end then."""
        if self._sizes.idle_seconds:
            self._task = asyncio.create_task(self._watch(), name="scaler")

    async def close(self) -> None:
        """Stop; what was started stays."""
        self._stopped.set()
        if self._task is not None:
            await self._task
        await asyncio.to_thread(self._roll_call.close)
        await asyncio.to_thread(self._service.close)

    async def provide(self, asked: int) -> AsyncIterator[Standing]:
        """Have at least so many nodes, 0 for any number. Ends when they are there.

        Raises:
            LimitExceeded: They are too many.
            ClusterUnavailable: They did not come in time, or ECS cannot be asked.
        """
        self._scaling.check(asked)
        async with self._order:
            self._scaling.touch(time.monotonic())
            if self._scaling.enough(asked, await self._look()):
                return
            before = (await self._ask_ecs()).wanted
            wanted = self._scaling.growth(asked, before)
            if wanted != before:
                await self._scale(wanted, "a job needs them")
        async for standing in self._wait(
            wanted,
            lambda seen: self._scaling.settled(wanted, seen),
            lambda seen: self._scaling.enough(asked, seen),
        ):
            yield standing

    async def order(self, nodes: int) -> AsyncIterator[Standing]:
        """Have exactly so many nodes. Ends when they are there.

        Raises:
            LimitExceeded: They are too many.
            ClusterUnavailable: They did not come in time, or ECS cannot be asked.
            WukongError: They are fewer than before, and are in use.
        """
        async with self._order:
            self._scaling.touch(time.monotonic())
            before = (await self._ask_ecs(0.0)).wanted
            self._scaling.order(nodes, before, await self._look_at_all())
            if nodes != before:
                await self._scale(nodes, "a user ordered it")

        def reached(seen: Seen) -> bool:
            return self._scaling.reached(nodes, seen)

        async for standing in self._wait(nodes, reached, reached):
            yield standing

    async def _wait(
        self, wanted: int, there: Callable[[Seen], bool], enough: Callable[[Seen], bool]
    ) -> AsyncIterator[Standing]:
        """Wait until all are `there`; in the end it will do if they are `enough`."""
        until = time.monotonic() + self._sizes.start_seconds
        while True:
            async with self._order:
                self._scaling.touch(time.monotonic())
                seen, fleet = await self._look(), await self._ask_ecs()
            yield Standing(wanted, fleet.running, seen.answering)
            if there(seen):
                return
            if time.monotonic() > until:
                late = self._late(wanted, seen, fleet)
                if not enough(seen):
                    raise late
                _log.warning("%s", late)
                return
            await asyncio.sleep(PAUSE)

    def _late(self, wanted: int, seen: Seen, fleet: Fleet) -> ClusterUnavailable:
        said = f' ECS says: "{fleet.said}".' if fleet.said else ""
        return ClusterUnavailable(
            f"the key-value store shall have {wanted} nodes, and after {self._sizes.start_seconds:g} s (the limit is "
            f"WUKONG_KVS_START_SECONDS) {seen.answering} in the ring answer, {seen.silent} in it do not, and "
            f"{fleet.running} tasks run in the ECS service {self._service.name!r}.{said} Look at the service's events "
            "and the log of its tasks: whether their image can be pulled, and whether they reach the proxy"
        )

    async def _watch(self) -> None:
        pause = min(LOOK, self._sizes.idle_seconds / LOOKS)
        while not await self._stopped_within(pause):
            try:
                async with self._order:
                    await self._rest()
            except WukongError as error:
                _log.warning("it is not known whether the key-value store is idle: %s", error)
            except Exception:
                # Whatever it is, the next look must come.
                _log.exception("the look at the key-value store was cut short")

    async def _rest(self) -> None:
        seen = await self._look_at_all()
        idle, stranded = self._scaling.idle(seen, time.monotonic()), self._scaling.stranded(seen)
        if not (idle or stranded):
            return
        wanted = (await self._ask_ecs(0.0)).wanted
        if stranded and not wanted:
            await self._scale(self._scaling.growth(0, wanted), f"{seen.jobs} jobs have none")
        elif idle and wanted:
            await self._scale(0, f"nothing has used them for {self._sizes.idle_seconds:g} s")

    async def _scale(self, nodes: int, why: str) -> None:
        _log.info("the key-value store shall have %d nodes: %s", nodes, why)
        await asyncio.to_thread(self._service.scale, nodes)
        self._seen = self._fleet = None
        if not nodes:
            ring = await asyncio.to_thread(self._rings.newest, 0.0)
            self._leaving = frozenset(node.id for node in ring.nodes) if ring is not None else frozenset()

    async def _look(self) -> Seen:
        """The nodes as they were at most `FRESH` seconds ago."""
        now = time.monotonic()
        if self._seen is None or now - self._seen[0] > FRESH:
            self._seen = now, await asyncio.to_thread(self._see)
        return self._seen[1]

    async def _look_at_all(self) -> Seen:
        """The nodes as they are now, and whether there are jobs."""
        self._seen = None
        seen = await self._look()
        return replace(seen, jobs=len(await asyncio.to_thread(self._mds.jobs)))

    def _see(self) -> Seen:
        ring = self._rings.newest(0.0)
        self._leaving &= {node.id for node in ring.nodes} if ring is not None else set()
        return Seen(*self._roll_call.of(ring, self._leaving))

    async def _ask_ecs(self, fresh: float | None = None) -> Fleet:
        """What ECS said at most `fresh` seconds ago, by default `FRESH`."""
        now = time.monotonic()
        if self._fleet is None or now - self._fleet[0] > (FRESH if fresh is None else fresh):
            self._fleet = now, await asyncio.to_thread(self._service.fleet)
        return self._fleet[1]

    async def _stopped_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)
        return self._stopped.is_set()
