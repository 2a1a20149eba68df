"""An emulator that throttles: every record is begun all the same, at the pace that is set."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from wukong.invocation import pace
from wukong.invocation.pacing import Pacing
from wukong.invocation.spreading import Spreading
from wukong.mds.failure import Failure
from wukong_scheduler.invocations import Invocations

Emulate = Callable[..., Any]
RECORDS = 40


def test_a_throttled_start_comes_to_its_end(emulate: Emulate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FIRST_HOLD", 0.02)
    monkeypatch.setattr("wukong_scheduler.invocations.FIRST_PAUSE", 0.01)
    emulator = emulate("echo", chaos={"seed": 3, "throttle": 0.3}, concurrency=2)
    failures: list[Failure] = []
    invocations = Invocations(
        f"http://{emulator.service.address}",
        "f",
        Spreading("", 0, 0),
        lambda job, failure: failures.append(failure),
        Pacing(rate=200.0, burst=10),
    )
    begun = time.monotonic()
    try:
        invocations.start("job-1", {str(number): [] for number in range(RECORDS)})
        emulator.until(lambda: emulator.log().count("END RequestId") == RECORDS)
    finally:
        invocations.close()
    assert time.monotonic() - begun >= (RECORDS - 10 - 1) / 200.0
    assert failures == []
    assert "chaos throttles request" in emulator.log()
