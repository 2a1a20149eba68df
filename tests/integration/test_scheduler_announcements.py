from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from wukong.cluster.valkey import ValkeyServer
from wukong.mds import keys
from wukong.redis.connection import Connection
from wukong_scheduler.announcements import Announcements

PASSWORD = "secret"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path, "mds", password=PASSWORD) as server:
        yield server


async def rung(bell: asyncio.Event) -> None:
    await asyncio.wait_for(bell.wait(), 10)
    bell.clear()


def publish(server: ValkeyServer, job: str) -> None:
    connection = Connection(server.address, password=PASSWORD)
    connection.call("PUBLISH", keys.events(job), "more")
    connection.close()


def test_only_the_watchers_of_the_job_are_woken(server: ValkeyServer) -> None:
    async def scenario() -> None:
        announcements = Announcements(server.address, PASSWORD)
        with (
            announcements.bell("a") as first,
            announcements.bell("a") as second,
            announcements.bell("b") as other,
        ):
            announcements.start()
            for bell in (first, second, other):
                await rung(bell)  # the subscription itself
            publish(server, "a")
            await rung(first)
            await rung(second)
            assert not other.is_set()
        await announcements.close()

    asyncio.run(scenario())


def test_everybody_is_woken_after_the_connection_broke(server: ValkeyServer) -> None:
    async def scenario() -> None:
        announcements = Announcements(server.address, PASSWORD)
        with announcements.bell("a") as bell:
            announcements.start()
            await rung(bell)
            connection = Connection(server.address, password=PASSWORD)
            assert connection.call("CLIENT", "KILL", "TYPE", "pubsub") == 1
            connection.close()
            await rung(bell)
            publish(server, "a")
            await rung(bell)
        await announcements.close()

    asyncio.run(scenario())


def test_a_wrong_password_is_tried_again_and_not_fatal(server: ValkeyServer, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        announcements = Announcements(server.address, "wrong")
        announcements.start()
        while "WRONGPASS" not in caplog.text:  # noqa: ASYNC110 (a log cannot set an event)
            await asyncio.sleep(0.01)
        await announcements.close()

    asyncio.run(asyncio.wait_for(scenario(), 10))
