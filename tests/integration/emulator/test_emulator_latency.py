"""Latency that is asked for: as long as that, and each invocation waits for itself only."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Emulate = Callable[..., Any]


def timed(call: Callable[..., Any], *arguments: Any, **more: Any) -> float:
    begun = time.monotonic()
    call(*arguments, **more)
    return time.monotonic() - begun


def test_invocations_take_as_long_as_they_shall_all_at_once(emulate: Emulate) -> None:
    emulator = emulate("echo", invoke_seconds=0.5, warm=1, concurrency=10)
    with ThreadPoolExecutor(8) as pool:
        begun = time.monotonic()
        each = list(pool.map(lambda _: timed(emulator.invoke, 1, InvocationType="Event"), range(8)))
        together = time.monotonic() - begun
    assert min(each) >= 0.5
    assert together < 8 * 0.5 / 2
    assert timed(emulator.invoke, 1) >= 0.5
    # Other requests are not held up.
    assert timed(emulator.client.get_function, FunctionName="f") < 0.5


def test_environments_take_as_long_as_they_shall_to_start_all_at_once(emulate: Emulate) -> None:
    emulator = emulate("sleep", cold_start_seconds=0.6, concurrency=4)
    with ThreadPoolExecutor(4) as pool:
        begun = time.monotonic()
        each = list(pool.map(lambda _: timed(emulator.invoke, 0.1), range(4)))
        together = time.monotonic() - begun
    assert min(each) >= 0.7
    assert together < 4 * 0.6
    answer = emulator.invoke(0, LogType="Tail")
    assert "Init Duration" not in answer["LogResult"]
    started = emulator.log().split("Init Duration: ")[1:]
    assert len(started) == 4
    assert min(float(text.split()[0]) for text in started) >= 600
    assert timed(emulator.invoke, 0) < 0.6


def test_an_environment_that_is_not_there_yet_is_not_waited_for_at_the_end(emulate: Emulate, loop: Any) -> None:
    emulator = emulate("echo", cold_start_seconds=1000.0, warm=2)
    assert timed(loop.run, emulator.service.close()) < 10
    assert emulator.service.pids() == []
