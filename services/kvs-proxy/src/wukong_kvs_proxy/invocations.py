"""Invokes executors for many records at once, from one loop.

Signed requests on kept connections (docs/fan-out.md), at the pace that the operator allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import aiohttp

from wukong.errors import ClusterUnavailable
from wukong.invocation.api import InvokeApi
from wukong.invocation.event import executor_event
from wukong.invocation.pacing import Pacing
from wukong.invocation.refusal import NO_ANSWER, Refusal, pauses, refusal

#: Requests under way at once, all fan-outs together.
AT_ONCE = 64

#: Seconds before a refused request is made again, and for which that goes on. Then the executor tries.
FIRST_PAUSE = 0.05
PATIENCE = 2.0

#: Seconds that one request may take.
TIMEOUT = aiohttp.ClientTimeout(total=10.0)


class Invocations:
    """Asynchronous invocations of one function.

    Args:
        endpoint: The URL of the Invoke API, empty for AWS's own.
        function: The executor function.
        pacing: How fast.
    """

    def __init__(self, endpoint: str, function: str, pacing: Pacing) -> None:
        self._endpoint, self._function = endpoint, function
        self._api: InvokeApi | None = None
        self._session: aiohttp.ClientSession | None = None
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._turns = pacing.turns()
        # botocore takes a good part of a second to import: nobody waits for it.
        self._preparing = self._prepare()

    async def ready(self) -> None:
        """Make sure that requests can be made.

        Raises:
            ClusterUnavailable: There is nothing to sign them with.
        """
        if self._preparing.done() and self._preparing.exception():
            self._preparing = self._prepare()  # credentials may be there by now
        self._api = await asyncio.shield(self._preparing)
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE), timeout=TIMEOUT)

    async def start(self, job: str, records: Mapping[str, Sequence[int]], trace: str) -> dict[str, Refusal]:
        """Invoke the function once per record; returns those that it was refused for.

        Args:
            job: Whose records they are.
            records: Record -> the pages of its entries.
            trace: The trace header of whoever gives them away.
        """
        await self.ready()
        answers = await asyncio.gather(
            *(self._one(executor_event(job, record, pages), trace) for record, pages in records.items())
        )
        return {record: refused for record, refused in zip(records, answers, strict=True) if refused is not None}

    async def close(self) -> None:
        """End the connections."""
        await asyncio.gather(self._preparing, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _prepare(self) -> asyncio.Task[InvokeApi]:
        return asyncio.create_task(asyncio.to_thread(InvokeApi, self._endpoint, self._function))

    async def _one(self, payload: bytes, trace: str) -> Refusal | None:
        waits = pauses(FIRST_PAUSE, PATIENCE)
        while True:
            async with self._at_once:
                while seconds := self._turns.wait():  # noqa: ASYNC110 - it is the clock that is waited for
                    await asyncio.sleep(seconds)
                refused = await self._post(payload, trace)
            self._turns.answered(refused)
            if refused is None or not refused.passes or (pause := next(waits, None)) is None:
                return refused
            await asyncio.sleep(pause)

    async def _post(self, payload: bytes, trace: str) -> Refusal | None:
        assert self._api is not None
        assert self._session is not None
        try:
            headers = self._api.headers(payload, trace)
            async with self._session.post(self._api.url, data=payload, headers=headers) as answer:
                return refusal(answer.status, answer.headers.get("x-amzn-ErrorType", ""), await answer.read())
        except (aiohttp.ClientError, TimeoutError, ClusterUnavailable) as error:
            return Refusal(NO_ANSWER, f"{type(error).__name__}: {error}")
