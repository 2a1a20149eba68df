"""The scheduler's reader of the failure queue, on a queue that the emulator fills."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wukong.mds import tokens
from wukong_scheduler import failure_queue
from wukong_scheduler.failure_queue import FailureQueue
from wukong_scheduler.invocation_end import Ended, InvocationEnd

Emulate = Callable[..., Any]
Drain = Callable[..., FailureQueue]


@pytest.fixture
def drain(monkeypatch: pytest.MonkeyPatch) -> Iterator[Drain]:
    """Drain an emulator's queue `q`."""
    monkeypatch.setattr(failure_queue, "PAUSE", 0.01)
    begun: list[FailureQueue] = []

    def start(emulator: Any, on_end: Callable[[InvocationEnd], None]) -> FailureQueue:
        queue = FailureQueue(emulator.service.queue_url("q"), f"http://{emulator.service.address}", on_end)
        queue.start()
        begun.append(queue)
        return queue

    yield start
    for queue in begun:
        queue.close()


@pytest.fixture
def left(emulate: Emulate) -> Callable[[Any], int]:
    """How many messages a queue holds."""

    def count(emulator: Any) -> int:
        asked = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = emulator.service.queue_url("q")
        answer = emulator.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=asked)
        return sum(map(int, answer["Attributes"].values()))

    return count


def test_each_end_is_told_once_and_deleted(emulate: Emulate, drain: Drain, left: Callable[[Any], int]) -> None:
    emulator = emulate("grow", on_failure="q", memory_mb=300)
    ends: list[InvocationEnd] = []
    drain(emulator, ends.append)
    event = {"job": "j", "record": "0", "where": "here", "mb": 600, "seconds": 20}
    answer = emulator.invoke(event, InvocationType="Event")
    emulator.invoke({"where": "nowhere"}, InvocationType="Event")  # it ends well, and nobody is told
    emulator.invoke({}, InvocationType="Event")  # it fails, and is no executor's
    request = answer["ResponseMetadata"]["RequestId"]
    emulator.until(lambda: ends)
    emulator.until(lambda: left(emulator) == 0)
    assert ends == [InvocationEnd("j", "0", tokens.mark(request), Ended.DIED, "out of memory")]


def test_what_waits_too_long_never_ran(emulate: Emulate, drain: Drain) -> None:
    emulator = emulate("echo", on_failure="q", maximum_event_age=0.1)
    ends: list[InvocationEnd] = []
    drain(emulator, ends.append)
    emulator.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    emulator.invoke({"job": "j", "record": "0"}, InvocationType="Event")
    emulator.until(lambda: ends)
    assert (ends[0].ended, ends[0].holder) == (Ended.NEVER_RAN, "")


def test_a_message_that_could_not_be_handled_stays(
    emulate: Emulate, drain: Drain, left: Callable[[Any], int], tmp_path: Path
) -> None:
    emulator = emulate("record", on_failure="q")
    tried: list[InvocationEnd] = []

    def fail(end: InvocationEnd) -> None:
        tried.append(end)
        raise ConnectionError("no store")

    drain(emulator, fail)
    event = {"job": "j", "record": "0", "file": str(tmp_path / "f"), "line": 1, "fail": True}
    emulator.invoke(event, InvocationType="Event")
    emulator.until(lambda: tried)
    assert left(emulator) == 1


def test_close_does_not_wait_for_a_poll_and_nothing_is_told_after_it(emulate: Emulate, drain: Drain) -> None:
    emulator = emulate("end", on_failure="q")
    ends: list[InvocationEnd] = []
    queue = drain(emulator, ends.append)
    emulator.invoke({"job": "j", "record": "0"}, InvocationType="Event")
    emulator.invoke("kill", InvocationType="Event")
    begun = time.monotonic()
    queue.close()
    assert time.monotonic() - begun < 15
    told = list(ends)
    emulator.invoke("kill", InvocationType="Event")
    emulator.until(lambda: emulator.log().count("signal: killed") >= 2)
    assert ends == told
