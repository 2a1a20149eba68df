"""Chaos in a running emulator: what `wukong_lambda_emulator.chaos` decides comes to pass, and nothing else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wukong_lambda_emulator import chaos
from wukong_lambda_emulator.chaos import Chaos

Emulate = Callable[..., Any]
SEED = {"seed": 11, "duplicate": 0.3, "delay": 0.3, "delay_seconds": 0.1, "drop": 0.2, "throttle": 0.2}


def send(emulator: Any, file: Path, count: int) -> None:
    """Invoke as many times as asked, each with its number; throttled ones are not repeated."""
    for number in range(1, count + 1):
        event = {"file": str(file), "line": number}
        try:
            emulator.invoke(event, InvocationType="Event")
        except emulator.client.exceptions.TooManyRequestsException as error:
            assert error.response["Reason"] == "CallerRateLimitExceeded"  # noqa: PT017


@pytest.mark.parametrize("deliveries", [1, 2])
def test_what_the_seed_says_happens_to_events(emulate: Emulate, tmp_path: Path, deliveries: int) -> None:
    emulator = emulate("record", chaos=SEED, deliveries=deliveries)
    send(emulator, tmp_path / "f", 60)
    expected: Counter[int] = Counter()
    for number in range(1, 61):
        fate = chaos.fate(Chaos(**SEED), number, deliveries)
        expected[number] = 0 if fate.throttled else len(fate.delays)
    assert len(set(expected.values())) == 3
    emulator.until(lambda: emulator.log().count("END RequestId") == expected.total())
    assert Counter(map(int, (tmp_path / "f").read_text().split())) == +expected


def test_deliveries_of_one_event_have_one_request_id(emulate: Emulate, tmp_path: Path) -> None:
    emulator = emulate("record", chaos={"duplicate": 1.0})
    answer = emulator.invoke({"file": str(tmp_path / "f"), "line": 1}, InvocationType="Event")
    id_ = answer["ResponseMetadata"]["RequestId"]
    emulator.until(lambda: emulator.log().count(f"END RequestId: {id_}\n") == 2)


def test_a_delay_is_no_more_than_that(emulate: Emulate, tmp_path: Path) -> None:
    chosen = {"seed": 4, "delay": 1.0, "delay_seconds": 0.4}
    emulator = emulate("record", chaos=chosen, warm=1)
    (delay,) = chaos.fate(Chaos(**chosen), 1).delays
    begun = time.monotonic()
    emulator.invoke({"file": str(tmp_path / "f"), "line": 1}, InvocationType="Event")
    emulator.until((tmp_path / "f").exists)
    assert time.monotonic() - begun >= delay > 0.01


def test_callers_who_wait_are_throttled_too_but_neither_delayed_nor_dropped(emulate: Emulate) -> None:
    chosen = {"seed": 5, "throttle": 0.3, "drop": 1.0, "delay": 1.0, "delay_seconds": 100.0}
    emulator = emulate("echo", chaos=chosen)
    answers = []
    for number in range(20):
        try:
            answers.append(emulator.invoke(number)["Payload"])
        except emulator.client.exceptions.TooManyRequestsException:
            answers.append(None)
    expected = [None if chaos.fate(Chaos(**chosen), n + 1).throttled else n for n in range(20)]
    assert answers == expected
    assert None in answers


def test_an_environment_is_ended_in_the_middle_of_its_invocation(emulate: Emulate) -> None:
    chosen = {"seed": 6, "kill": 0.5, "kill_seconds": 0.01}
    emulator = emulate("sleep", chaos=chosen, concurrency=1)
    failed = []
    for _ in range(8):
        answer = emulator.invoke(0.1)
        failed.append("FunctionError" in answer)
        if failed[-1]:
            assert answer["Payload"]["errorType"] == "Runtime.ExitError"
            assert answer["Payload"]["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert failed == [chaos.lifetime(Chaos(**chosen), number) is not None for number in range(1, 9)]
    assert 0 < sum(failed) < 8


def test_a_killed_event_is_retried_as_any_failed_one(emulate: Emulate, tmp_path: Path) -> None:
    seed = next(
        seed
        for seed in range(1000)
        if [chaos.lifetime(Chaos(seed=seed, kill=0.5), number) is not None for number in (1, 2)] == [True, False]
    )
    emulator = emulate(
        "wait_for", chaos={"seed": seed, "kill": 0.5, "kill_seconds": 0.0}, retries=1, retry_seconds=0.01
    )
    go = tmp_path / "go"
    emulator.invoke(str(go), InvocationType="Event")
    emulator.until(lambda: "is tried again in 0.01 s" in emulator.log())
    go.touch()
    emulator.until(lambda: emulator.log().count("REPORT RequestId") == 2)
    assert emulator.log().count("chaos ends environment") == 1
