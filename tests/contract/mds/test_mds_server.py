"""What only a real server can do: forget its scripts, expire keys, tell of events."""

from __future__ import annotations

import time
from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import pytest
from tests.contract.mds.conftest import Servers, Store, server_store

from wukong.mds import keys
from wukong.mds.redis import GRACE, RedisMds
from wukong.mds.store import Arrival, LogText, Status, TaskTime
from wukong.redis import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def server(mds_program: str, mds_servers: Servers) -> Iterator[Store]:
    with ExitStack() as stack:
        yield server_store(mds_servers.address(mds_program), stack)


@pytest.fixture
def redis(server: Store) -> Iterator[Connection]:
    mds = cast(RedisMds, server.mds)
    with mds._pool.connection() as connection:
        yield connection


def test_scripts_that_the_server_forgot_are_sent_again(server: Store, redis: Connection) -> None:
    server.submit([0], [1])
    holder = server.holder()
    calls: list[Callable[[], Status]] = [
        lambda: holder.begin([0]).status,
        lambda: holder.sync(Arrival(5, 2, [(0, b"N")])).status,
        holder.renew,
        lambda: holder.offload("x", [1])[0],
        holder.fail,
    ]
    for call in calls:
        redis.call("SCRIPT", "FLUSH")
        assert call() is Status.OK
    assert server.info().state == "failed"


def test_every_key_of_a_job_expires_with_it(server: Store, redis: Connection) -> None:
    server.submit([0], [1], pages=[b"a", b"b"], sinks=2, seconds=100, inputs=["c0ffee"], targets=b"T")
    holder = server.holder()
    holder.sync(Arrival(5, 3, [(0, b"N")]), Arrival(6, 1, [], [0]), results=[(9, b"N")])
    holder.offload("x", [3])
    holder.sync(logs=[LogText(1, "stdout", "x")])
    names = [name for name in server.names() if name.startswith("w:job:")]
    assert len(names) == 14
    moments = set(redis.pipeline([["EXPIRETIME", name] for name in names]))
    assert len(moments) == 1
    assert abs(cast(int, moments.pop()) - (time.time() + 100 + GRACE)) < 30


def test_round_trips_of_a_jobs_life(server: Store) -> None:
    server.submit(job="warm")
    server.mds.purge("warm", 60)
    trips = [server.mds.round_trips]
    server.submit(pages=[b"a", b"b"], inputs=["c0ffee"], targets=b"T")
    trips.append(server.mds.round_trips)
    server.submit(job="large", pages=[bytes(1024 * 1024)] * 17)
    trips.append(server.mds.round_trips)
    server.mds.purge("job", 60)
    trips.append(server.mds.round_trips)
    assert [later - earlier for earlier, later in pairwise(trips)] == [3, 5, 3]


def test_the_tombstone_lives_as_long_as_asked(server: Store, redis: Connection) -> None:
    server.submit()
    server.mds.purge("job", 1800)
    assert 1700 < cast(int, redis.call("TTL", keys.meta("job"))) <= 1800


def test_a_job_that_expired_is_unlisted_by_the_purge(server: Store, redis: Connection) -> None:
    """The scheduler was away until the job's keys were gone."""
    server.submit()
    doomed = [name for name in server.names() if name.startswith("w:job:")]
    redis.call("UNLINK", *doomed)
    assert [name for name, _ in server.mds.jobs()] == ["job"]
    server.mds.purge("job", 60)
    assert server.mds.jobs() == []
    assert server.names() == ["w:ring:3"]


def test_events_are_announced_on_the_jobs_channel(server: Store, redis: Connection) -> None:
    assert _announced(redis, lambda: server.submit()) == "job"
    holder = server.holder()
    assert _announced(redis, lambda: holder.sync(logs=[LogText(1, "stdout", "x")])) == "job"
    assert _announced(redis, lambda: holder.sync(results=[(1, b"N")])) == "job"
    server.submit(job="second")
    assert _announced(redis, lambda: server.mds.close("second", "cancelled")) == "second"
    server.submit(job="third")
    third = server.holder(job="third")
    assert _announced(redis, third.fail) == "third"


def test_a_record_found_silent_is_looked_at_again_after_the_pause_asked_for(server: Store, redis: Connection) -> None:
    server.submit(lease=0.01)
    server.eventually(lambda: _now(redis) > _score(redis))
    for pause in (30_000, 60_000, 120_000):
        before = _now(redis)
        assert [due.record for due in server.mds.sweep("job", 30.0).due] == ["0"]
        assert before + pause <= _score(redis) <= _now(redis) + pause
        redis.call("ZADD", keys.look("job"), 1, "0")


def _score(redis: Connection) -> float:
    return float(cast(bytes, redis.call("ZSCORE", keys.look("job"), "0")))


def _now(redis: Connection) -> int:
    seconds, micros = (int(part) for part in cast("list[bytes]", redis.call("TIME")))
    return seconds * 1000 + micros // 1000


def _announced(redis: Connection, call: Callable[[], object]) -> str:
    """The job that a call announces to whoever listens on all jobs' channels."""
    listener = Connection(redis.address, password="open-sesame")
    try:
        assert listener.call("PSUBSCRIBE", keys.EVENT_CHANNELS) == [b"psubscribe", b"w:*:e", 1]
        call()
        # What was announced is in the connection before the answer to PING.
        kind, _, channel, _ = cast("list[bytes]", listener.call("PING"))
        assert kind == b"pmessage"
        return keys.job_of_channel(channel.decode())
    finally:
        listener.close()


def test_every_key_of_a_job_that_was_prolonged_and_runs_again_expires_with_it(server: Store, redis: Connection) -> None:
    server.submit([0], [1], sinks=1, seconds=100, inputs=["c0ffee"], targets=b"T")
    holder, other = server.holder(), server.holder("1")
    other.sync(Arrival(5, 3, [(0, b"N")]), Arrival(6, 1, [], [0]), Arrival(7, 2, [(0, b"N")], [1]))
    other.sync(logs=[LogText(1, "stdout", "x")], slowest=[TaskTime(1, "one", 5)])
    assert holder.sync(results=[(9, b"M")], end=True).ended
    assert server.mds.prolong("job", 9000)
    names = [name for name in server.names() if name.startswith("w:job:")]
    assert len(set(redis.pipeline([["EXPIRETIME", name] for name in names]))) == 2
    assert server.mds.lose_results("job", [[(9, b"M")]], 60) == ["lost.1"]
    names = [name for name in server.names() if name.startswith("w:job:")]
    assert {"w:job:f:0:5", "w:job:f:0:7", "w:job:o:0", "w:job:first", "w:job:r:lost.1"} <= set(names)
    assert len(set(redis.pipeline([["EXPIRETIME", name] for name in names]))) == 1
