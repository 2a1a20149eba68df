"""Jobs that a client holds: kept in the cluster until their objects are gone, then released."""

from __future__ import annotations

import gc
import queue
from types import SimpleNamespace
from typing import Any, cast

import grpc

from wukong.client.aside import Aside
from wukong.client.connection import Connection
from wukong.client.releases import Releases


class Scheduler:
    """Notes what is released and kept. Is away for the first releases."""

    def __init__(self, away: int = 0) -> None:
        self._away = away
        self.released: queue.Queue[str] = queue.Queue()
        self.kept: queue.Queue[list[str]] = queue.Queue()
        self.ReleaseJob = SimpleNamespace(future=self._release)

    def _release(self, request: Any, timeout: float, wait_for_ready: bool) -> Any:
        assert wait_for_ready
        self.released.put(request.job_id)
        self._away -= 1
        return Answered(grpc.StatusCode.OK if self._away < 0 else grpc.StatusCode.UNAVAILABLE)

    def KeepJobs(self, request: Any, timeout: float) -> None:
        self.kept.put(list(request.job_ids))
        raise grpc.RpcError


class Answered:
    """A call that has its answer."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def add_done_callback(self, call: Any) -> None:
        call(self)

    def code(self) -> grpc.StatusCode:
        return self._code

    def result(self, timeout: float) -> None: ...


class Thing:
    pass


def _releases(scheduler: Scheduler, timeout: float = 1.0) -> Releases:
    connection = SimpleNamespace(
        aside=Aside(), scheduler=scheduler, cluster=SimpleNamespace(keep_seconds=0.1), timeout=timeout
    )
    return Releases(cast("Connection", connection))


def test_a_release_that_nobody_answers_is_sent_again() -> None:
    scheduler = Scheduler(away=2)
    releases = _releases(scheduler)
    thing = Thing()
    releases.hold("one")
    releases.follow(thing, "one")
    releases.release("one")
    assert [scheduler.released.get(timeout=10) for _ in range(3)] == ["one"] * 3
    releases.close()
    assert scheduler.released.empty()


def test_close_waits_for_a_release_that_has_to_be_sent_again() -> None:
    scheduler = Scheduler(away=1)
    releases = _releases(scheduler)
    releases.hold("one")
    releases.close()
    assert [scheduler.released.get_nowait() for _ in range(2)] == ["one"] * 2


def test_a_release_is_not_sent_for_longer_than_the_timeout() -> None:
    scheduler = Scheduler(away=10**9)
    releases = _releases(scheduler, timeout=0.2)
    releases.hold("one")
    releases.close()
    assert 1 < scheduler.released.qsize() <= 5


def test_a_held_job_is_kept_until_its_object_is_gone() -> None:
    scheduler = Scheduler()
    releases = _releases(scheduler)
    first, second = Thing(), Thing()
    releases.hold("one")
    releases.follow(first, "one")
    releases.hold("two")
    releases.follow(second, "two")
    for _ in range(3):  # through failures
        assert scheduler.kept.get(timeout=10) == ["one", "two"]
    del first
    gc.collect()
    assert scheduler.released.get(timeout=10) == "one"
    while scheduler.kept.get(timeout=10) != ["two"]:
        pass
    releases.release("two")
    releases.release("two")
    releases.release("of another client")
    releases.release("asked for", held_only=False)
    releases.hold("three")
    releases.close()
    assert [scheduler.released.get_nowait() for _ in range(3)] == ["two", "asked for", "three"]
    assert scheduler.released.empty()
