"""The errors of SQS, in the form that AWS's clients turn into their own exceptions."""

from __future__ import annotations

import json


class SqsError(Exception):
    """One refused request: the error's name, the older name by which clients know it, and a message."""

    def __init__(self, kind: str, code: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.message = message

    @property
    def body(self) -> bytes:
        """The JSON document."""
        return json.dumps({"__type": self.kind, "message": self.message}).encode()

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with it."""
        return {"x-amzn-query-error": f"{self.code};Sender"}


def no_queue() -> SqsError:
    """There is no such queue."""
    return SqsError(
        "com.amazonaws.sqs#QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
        "The specified queue does not exist.",
    )


def name_exists(name: str) -> SqsError:
    """There is such a queue, with other attributes."""
    message = f"A queue already exists with the same name and a different value for an attribute: {name}"
    return SqsError("com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists", message)


def invalid_attribute(message: str) -> SqsError:
    """Queues have no such attribute here."""
    return SqsError("com.amazonaws.sqs#InvalidAttributeName", "InvalidAttributeName", message)


def invalid_handle(handle: str) -> SqsError:
    """It is no receipt handle."""
    message = f'The input receipt handle "{handle[:200]}" is not a valid receipt handle.'
    return SqsError("com.amazonaws.sqs#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", message)


def invalid_value(message: str) -> SqsError:
    """A parameter is wrong."""
    return SqsError("com.amazon.coral.service#InvalidParameterValueException", "InvalidParameterValue", message)


def missing(name: str) -> SqsError:
    """A parameter is absent."""
    message = f"The request must contain the parameter {name}."
    return SqsError("com.amazon.coral.service#MissingRequiredParameterException", "MissingParameter", message)


def unknown_operation(name: str) -> SqsError:
    """The emulator has no such operation."""
    message = f"the emulator's SQS has no operation {name!r}"
    return SqsError("com.amazon.coral.service#UnknownOperationException", "InvalidAction", message)
