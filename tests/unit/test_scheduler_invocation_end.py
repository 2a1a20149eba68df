"""What the scheduler understands of the platform's records of failed invocations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wukong.mds import tokens
from wukong_scheduler.invocation_end import Ended, InvocationEnd, read

REQUEST = "e4b46cbf-b738-xmpl-8880-a18cdf61200e"
EVENT = {"job": "job-1", "record": "x.1", "pages": [0]}


def record(condition: str = "RetriesExhausted", response: Any = None, event: Any = None) -> str:
    """An invocation record, as the AWS Lambda Developer Guide shows one."""
    told = {
        "version": "1.0",
        "timestamp": "2019-11-14T18:16:05.568Z",
        "requestContext": {
            "requestId": REQUEST,
            "functionArn": "arn:aws:lambda:us-east-2:123456789012:function:wukong-executor:$LATEST",
            "condition": condition,
            "approximateInvokeCount": 1,
        },
        "requestPayload": EVENT if event is None else event,
    }
    if response is not None:
        told["responseContext"] = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
        told["responsePayload"] = response
    return json.dumps(told)


def error(kind: str, message: str) -> dict[str, str]:
    return {"errorType": kind, "errorMessage": message}


def killed(text: str) -> dict[str, str]:
    return error("Runtime.ExitError", f"RequestId: {REQUEST} Error: Runtime exited with error: {text}")


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (error("Runtime.OutOfMemory", f"RequestId: {REQUEST} Error: Runtime exited"), "out of memory"),
        (killed("signal: killed"), "signal: killed"),
        (killed("exit status 3"), "exit status 3"),
        (
            error("Sandbox.Timedout", f"RequestId: {REQUEST} Error: Task timed out after 3.00 seconds"),
            "the function's time limit (Task timed out after 3.00 seconds)",
        ),
        (
            {"errorMessage": f"2026-01-01T00:00:00.000Z {REQUEST} Task timed out after 900.10 seconds"},
            "the function's time limit (Task timed out after 900.10 seconds)",
        ),
        (
            error("Runtime.ImportModuleError", "Unable to import module 'wukong_executor.handler'"),
            "Runtime.ImportModuleError: Unable to import module 'wukong_executor.handler'",
        ),
    ],
)
def test_an_environment_that_ended(response: dict[str, str], why: str) -> None:
    end = read(record(response=response))
    assert end == InvocationEnd("job-1", "x.1", tokens.mark(REQUEST), Ended.DIED, why)
    assert end.at_once


def test_an_executor_that_gave_up_is_given_its_lease_to_rest() -> None:
    end = read(record(response=error("ClusterUnavailable", "the Redis at h:1 was sent 'GET' and closed")))
    assert end is not None
    assert (end.ended, end.at_once) == (Ended.RAISED, False)
    assert end.why == "ClusterUnavailable: the Redis at h:1 was sent 'GET' and closed"


@pytest.mark.parametrize("condition", ["EventAgeExceeded", "RetriesExhausted"])
def test_an_invocation_that_never_ran(condition: str) -> None:
    end = read(record(condition))
    assert end is not None
    assert (end.holder, end.ended, end.at_once) == ("", Ended.NEVER_RAN, True)
    assert ("maximum event age" in end.why) == (condition == "EventAgeExceeded")


def test_a_long_message_is_cut() -> None:
    end = read(record(response=error("Runtime.Unknown", "x" * 10_000)))
    assert end is not None
    assert len(end.why) == 500


@pytest.mark.parametrize(
    "message",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        record(event="text"),
        record(event={}),
        record(event={"job": 1, "record": "0"}),
        record(event={"job": "job-1", "record": None}),
    ],
)
def test_other_messages_tell_nothing(message: str) -> None:
    assert read(message) is None


@pytest.mark.parametrize("response", ["text", None, [], {}, {"errorType": 7}])
def test_answers_of_any_shape_are_understood(response: Any) -> None:
    assert read(record(response=response)) is not None


def test_tokens_tell_their_invocation_and_differ() -> None:
    first, second = tokens.new_token(REQUEST), tokens.new_token(REQUEST)
    assert first != second
    assert first.startswith(tokens.mark(REQUEST))
    assert second.startswith(tokens.mark(REQUEST))
    assert not first.startswith(tokens.mark(REQUEST + "f"))
    assert tokens.mark("") == ""
    assert tokens.new_token("") != tokens.new_token("")
