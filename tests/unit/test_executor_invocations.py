"""What an executor does about an invocation that is refused: what botocore's standard mode did."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from wukong.errors import ClusterUnavailable
from wukong.invocation.refusal import NO_ANSWER, Refusal
from wukong.invocation.spreading import Spreading
from wukong_executor import invocations
from wukong_executor.environment import Environment
from wukong_executor.invocations import invoke

THROTTLED, SILENT = Refusal("TooManyRequestsException", "slow"), Refusal(NO_ANSWER, "timed out")
GONE, BROKEN = Refusal("ResourceNotFoundException", "no such function", 404), Refusal("Theirs", "broken", 502)


class Requests:
    """Answers each request with the next of `answers`."""

    def __init__(self, *answers: Refusal | Exception | None) -> None:
        self.answers = list(answers)

    def post(self, payload: bytes, trace: str) -> Refusal | None:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, each the longest that chance can give."""
    found: list[float] = []
    monkeypatch.setattr(invocations, "uniform", lambda least, most: most)
    monkeypatch.setattr(invocations, "sleep", found.append)
    return found


@pytest.mark.parametrize(
    ("answers", "pauses", "warning"),
    [
        ([None], [], ""),
        ([THROTTLED, THROTTLED, THROTTLED], [1.0, 2.0], "TooManyRequestsException: slow"),
        ([SILENT, BROKEN, SILENT], [0.05, 0.1], "NoAnswer: timed out"),
        ([BROKEN, THROTTLED, None], [0.05, 2.0], ""),
        ([GONE], [], "ResourceNotFoundException: no such function"),
        ([ClusterUnavailable("no role")], [], "no role"),
    ],
)
def test_three_attempts_where_they_can_help(
    answers: list[Any], pauses: list[float], warning: str, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    requests = Requests(*answers)
    environment = SimpleNamespace(function="f", spreading=Spreading("", 0, 0), requests=lambda function: requests)
    invoke(cast("Environment", environment), "job-1", {"0.1": [3]})
    assert not requests.answers
    assert slept == pauses
    assert [record.getMessage() for record in caplog.records] == (
        [f"record 0.1 of job job-1 was not invoked ({warning}); the scheduler will"] if warning else []
    )
