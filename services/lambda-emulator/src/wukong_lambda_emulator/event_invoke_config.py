"""How Lambda treats a function's asynchronous invocations: what the operations ...FunctionEventInvokeConfig set."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from wukong_lambda_emulator import api_error

#: The members of a request: name, the least and the greatest value.
_NUMBERS = {"MaximumRetryAttempts": (0, 2), "MaximumEventAgeInSeconds": (60, 21_600)}


@dataclass(frozen=True, slots=True)
class EventInvokeConfig:
    """What was set; None where nothing was."""

    retries: int | None = None
    #: Seconds.
    maximum_event_age: int | None = None
    #: ARNs of queues.
    on_success: str | None = None
    on_failure: str | None = None
    #: When, in seconds since 1970.
    modified: float = 0.0

    def document(self, arn: str) -> dict[str, Any]:
        """The configuration of the function `arn` as Lambda shows it."""
        destinations = {"OnSuccess": self.on_success, "OnFailure": self.on_failure}
        document: dict[str, Any] = {
            "LastModified": round(self.modified, 3),
            "FunctionArn": arn,
            "DestinationConfig": {
                name: {} if target is None else {"Destination": target} for name, target in destinations.items()
            },
        }
        if self.retries is not None:
            document["MaximumRetryAttempts"] = self.retries
        if self.maximum_event_age is not None:
            document["MaximumEventAgeInSeconds"] = self.maximum_event_age
        return document


def change(before: EventInvokeConfig, body: bytes, now: float) -> EventInvokeConfig:
    """The configuration after a request; what the request does not mention stays as it was.

    Raises:
        ApiError: The request is not one that Lambda takes, or a destination is no SQS queue's.
    """
    try:
        document = json.loads(body)
    except ValueError as error:
        raise api_error.invalid_content(f"Could not parse request body into json: {error}") from None
    if not isinstance(document, dict):
        raise api_error.invalid_content("Could not parse request body into json: it is not an object")
    after = replace(before, modified=now)
    given = {name: document[name] for name in (*_NUMBERS, "DestinationConfig") if document.get(name) is not None}
    if not given:
        raise api_error.invalid_parameter("You must specify at least one of error handling or destination setting.")
    if "MaximumRetryAttempts" in given:
        after = replace(after, retries=_number(given, "MaximumRetryAttempts"))
    if "MaximumEventAgeInSeconds" in given:
        after = replace(after, maximum_event_age=_number(given, "MaximumEventAgeInSeconds"))
    if "DestinationConfig" in given:
        destinations = given["DestinationConfig"]
        if not isinstance(destinations, dict):
            raise api_error.invalid_parameter("DestinationConfig is not an object")
        success, failure = _destination(destinations, "OnSuccess"), _destination(destinations, "OnFailure")
        after = replace(after, on_success=success, on_failure=failure)
    return after


def _number(document: dict[str, Any], name: str) -> int:
    value, (least, most) = document[name], _NUMBERS[name]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise api_error.invalid_parameter(
            f"1 validation error detected: Value '{value}' at '{name[0].lower() + name[1:]}' failed to satisfy "
            f"constraint: Member must have value between {least} and {most}"
        )
    return value


def _destination(document: dict[str, Any], name: str) -> str | None:
    entry = document.get(name) or {}
    target = entry.get("Destination") if isinstance(entry, dict) else entry
    if target in (None, ""):
        return None
    if not isinstance(target, str) or not target.startswith("arn:aws:sqs:"):
        raise api_error.invalid_parameter(
            f"The destination ARN {target} is invalid: the emulator has SQS queues as destinations, and nothing else"
        )
    return target
