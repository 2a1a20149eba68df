"""Event invoke configurations and the records that destinations get."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wukong_lambda_emulator import invocation_record
from wukong_lambda_emulator.api_error import ApiError
from wukong_lambda_emulator.event_invoke_config import EventInvokeConfig, change
from wukong_lambda_emulator.invocation import Invocation

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
OTHER = "arn:aws:sqs:us-east-1:000000000000:other"
FULL = EventInvokeConfig(1, 120, QUEUE, OTHER, 5.0)


def changed(before: EventInvokeConfig, document: Any, now: float = 9.0) -> EventInvokeConfig:
    return change(before, json.dumps(document).encode(), now)


def test_what_a_request_does_not_mention_stays() -> None:
    assert changed(EventInvokeConfig(), {"MaximumRetryAttempts": 0}) == EventInvokeConfig(retries=0, modified=9.0)
    assert changed(FULL, {"MaximumEventAgeInSeconds": 60}) == EventInvokeConfig(1, 60, QUEUE, OTHER, 9.0)
    only = changed(FULL, {"DestinationConfig": {"OnFailure": {"Destination": QUEUE}, "OnSuccess": {}}})
    assert only == EventInvokeConfig(1, 120, None, QUEUE, 9.0)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "at least one of"),
        ({"MaximumRetryAttempts": 3}, "'maximumRetryAttempts' .* between 0 and 2"),
        ({"MaximumRetryAttempts": True}, "maximumRetryAttempts"),
        ({"MaximumEventAgeInSeconds": 59}, "'maximumEventAgeInSeconds' .* between 60 and 21600"),
        ({"DestinationConfig": 1}, "not an object"),
        ({"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sns:us-east-1:000000000000:t"}}}, "SQS queues"),
        ([], "not an object"),
    ],
)
def test_what_lambda_does_not_take_is_refused(document: Any, message: str) -> None:
    with pytest.raises(ApiError, match=message) as raised:
        changed(EventInvokeConfig(), document)
    assert raised.value.status == 400


def test_a_configuration_is_shown_as_lambda_shows_it() -> None:
    assert FULL.document("arn:f") == {
        "LastModified": 5.0,
        "FunctionArn": "arn:f",
        "MaximumRetryAttempts": 1,
        "MaximumEventAgeInSeconds": 120,
        "DestinationConfig": {"OnSuccess": {"Destination": QUEUE}, "OnFailure": {"Destination": OTHER}},
    }
    assert EventInvokeConfig(retries=0).document("arn:f") == {
        "LastModified": 0.0,
        "FunctionArn": "arn:f",
        "MaximumRetryAttempts": 0,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
    }


def test_a_record_tells_what_was_asked_and_what_came_of_it() -> None:
    invocation = Invocation(
        "id.2", "id", b'{"a": 1}', "", "arn:f", attempts=3, posted=(b'{"errorType": "E"}', "Unhandled")
    )
    assert json.loads(invocation_record.describe(invocation, "RetriesExhausted", 1573755365.568)) == {
        "version": "1.0",
        "timestamp": "2019-11-14T18:16:05.568Z",
        "requestContext": {
            "requestId": "id",
            "functionArn": "arn:f:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"a": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": "E"},
    }


def test_a_record_of_what_never_ran_has_no_response() -> None:
    record = json.loads(invocation_record.describe(Invocation("id", "id", b"1", "", "arn:f"), "EventAgeExceeded", 0.0))
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert "responseContext" not in record
    assert "responsePayload" not in record


@pytest.mark.parametrize(("posted", "shown"), [(b"", ""), (b"no JSON \xff", "no JSON �"), (b"null", None)])
def test_an_answer_that_is_no_json_is_a_text(posted: bytes, shown: Any) -> None:
    invocation = Invocation("id", "id", b"{}", "", "arn:f", attempts=1, posted=(posted, ""))
    record = json.loads(invocation_record.describe(invocation, "Success", 0.0))
    assert record["responsePayload"] == shown
    assert "functionError" not in record["responseContext"]
