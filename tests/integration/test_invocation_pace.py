"""What keeps to a pace keeps to it, and a Lambda without room is not stormed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from tests.integration.scheduler_server.stage import Lambda
from tests.waiting import until

import wukong_kvs_proxy.invocations
from wukong.invocation import pace
from wukong.invocation.pacing import Pacing
from wukong.invocation.spreading import Spreading
from wukong.mds.failure import Failure
from wukong_scheduler.invocations import Invocations

RECORDS = {str(number): [number] for number in range(200)}
TOO_MANY = 429


@pytest.fixture
def endpoint() -> Iterator[Lambda]:
    made = Lambda()
    yield made
    made.close()


def through_the_proxy(endpoint: Lambda, pacing: Pacing, full_for: float) -> float:
    """Start all records by the proxy's way while there is no room for a time; returns the seconds that took."""

    async def start() -> float:
        asyncio.get_running_loop().call_later(full_for, setattr, endpoint, "status", 202)
        invocations = wukong_kvs_proxy.invocations.Invocations(endpoint.url, "f", pacing)
        try:
            await invocations.ready()
            begun = time.monotonic()
            assert await invocations.start("job-1", RECORDS, "") == {}
            return time.monotonic() - begun
        finally:
            await invocations.close()

    endpoint.status = TOO_MANY if full_for else 202
    return asyncio.run(start())


def test_the_proxy_asks_at_its_pace(endpoint: Lambda) -> None:
    seconds = through_the_proxy(endpoint, Pacing(rate=400.0, burst=100), 0.0)
    assert seconds >= (len(RECORDS) - 100 - 1) / 400.0
    assert sorted(int(payload["record"]) for payload in endpoint.payloads) == list(range(len(RECORDS)))


def test_a_refusal_holds_up_all_that_the_proxy_asks_for(endpoint: Lambda, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FIRST_HOLD", 0.1)
    asked = []
    for pacing in (Pacing(), Pacing(rate=1000.0, burst=1000)):
        before = len(endpoint.payloads)
        through_the_proxy(endpoint, pacing, 0.5)
        asked.append(len(endpoint.payloads) - before - len(RECORDS))
    stormed, paced = asked
    assert stormed > 2 * len(RECORDS)
    assert paced < len(RECORDS)


def test_the_scheduler_asks_at_its_pace_and_ends_in_the_middle(endpoint: Lambda) -> None:
    failures: list[Failure] = []
    pacing = Pacing(rate=200.0, burst=20)
    begun = time.monotonic()
    invocations = Invocations(
        endpoint.url, "f", Spreading("", 0, 0), lambda job, failure: failures.append(failure), pacing
    )
    try:
        invocations.start("job-1", {str(number): [] for number in range(60)})
        until(lambda: len(endpoint.payloads) == 60)
        assert time.monotonic() - begun >= (60 - 20 - 1) / 200.0
        invocations.start("job-1", RECORDS)
    finally:
        invocations.close()
    assert len(endpoint.payloads) < 60 + len(RECORDS)
    assert failures == []
