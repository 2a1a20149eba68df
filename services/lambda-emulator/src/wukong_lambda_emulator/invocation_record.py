"""What a destination is sent about an asynchronous invocation that is over."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from wukong_lambda_emulator import function_name
from wukong_lambda_emulator.invocation import Invocation

#: Why it is over.
SUCCESS = "Success"
RETRIES_EXHAUSTED = "RetriesExhausted"
EVENT_AGE_EXCEEDED = "EventAgeExceeded"


def describe(invocation: Invocation, condition: str, now: float) -> str:
    """The record, as JSON.

    Args:
        invocation: The invocation; without a response where it never got to run.
        condition: One of the constants of this module.
        now: Seconds since 1970.
    """
    time = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    context = {
        "requestId": invocation.request_id,
        "functionArn": f"{invocation.arn}:{function_name.LATEST}",
        "condition": condition,
        "approximateInvokeCount": invocation.attempts,
    }
    # Both payloads are JSON already, of any depth: they are put in as they are.
    members = {
        "version": json.dumps("1.0"),
        "timestamp": json.dumps(time),
        "requestContext": json.dumps(context),
        "requestPayload": invocation.payload.decode(),
    }
    if invocation.posted is not None:
        payload, function_error = invocation.posted
        response: dict[str, Any] = {"statusCode": 200, "executedVersion": function_name.LATEST}
        if function_error:
            response["functionError"] = function_error
        members["responseContext"] = json.dumps(response)
        members["responsePayload"] = _text(payload)
    return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in members.items()) + "}"


def _text(payload: bytes) -> str:
    """What the function answered, as JSON; a string with it where it is none."""
    try:
        json.loads(payload)
        return payload.decode()
    except (ValueError, RecursionError):
        return json.dumps(payload.decode(errors="replace"))
