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
    """Notes what is released and kept."""

    def __init__(self) -> None:
        self.released: queue.Queue[str] = queue.Queue()
        self.kept: queue.Queue[list[str]] = queue.Queue()
        self.ReleaseJob = SimpleNamespace(future=self._release)

    def _release(self, request: Any, timeout: float, wait_for_ready: bool) -> Any:
        assert wait_for_ready
        self.released.put(request.job_id)
        return Answered()

    def KeepJobs(self, request: Any, timeout: float) -> None:
        self.kept.put(list(request.job_ids))
        raise grpc.RpcError


class Answered:
    """A call that has its answer."""

    def add_done_callback(self, call: Any) -> None:
        call(self)

    def result(self, timeout: float) -> None: ...


class Thing:
    pass


def test_a_held_job_is_kept_until_its_object_is_gone() -> None:
    scheduler = Scheduler()
    connection = SimpleNamespace(
        aside=Aside(), scheduler=scheduler, cluster=SimpleNamespace(keep_seconds=0.1), timeout=1.0
    )
    releases = Releases(cast("Connection", connection))
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
