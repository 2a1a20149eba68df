"""The part of Amazon SQS that who drains a destination needs, as `boto3.client("sqs")` speaks it.

Every operation is one POST, named by the header X-Amz-Target (AWS JSON protocol 1.0).
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from wukong_lambda_emulator import function_name, sqs_error
from wukong_lambda_emulator.queues import Queues
from wukong_lambda_emulator.sqs_error import SqsError
from wukong_lambda_emulator.sqs_queue import LARGEST_MESSAGE, Message, Queue

_PREFIX = "AmazonSQS."
_HEADERS = {"Content-Type": "application/x-amz-json-1.0"}

#: The attributes that a queue may be given: the name here, the least and the greatest value.
_SETTABLE = {
    "VisibilityTimeout": ("visibility_timeout", 0, 43_200),
    "ReceiveMessageWaitTimeSeconds": ("wait_seconds", 0, 20),
    "MessageRetentionPeriod": ("retention_seconds", 60, 1_209_600),
}

_Document = dict[str, Any]


class SqsApi:
    """The requests that users of queues send, answered from `queues`."""

    #: What there is of SQS.
    OPERATIONS = ("CreateQueue", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ReceiveMessage")

    def __init__(self, queues: Queues) -> None:
        self._queues = queues
        operations = (self._create, self._delete_message, self._get_attributes, self._get_url, self._receive)
        self._operations: dict[str, Callable[[_Document, web.Request], Awaitable[_Document | None]]] = dict(
            zip(self.OPERATIONS, operations, strict=True)
        )

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        try:
            name = request.headers.get("X-Amz-Target", "").removeprefix(_PREFIX)
            operation = self._operations.get(name)
            if operation is None:
                raise sqs_error.unknown_operation(name)
            try:
                document = json.loads(await request.read())
            except ValueError as error:
                raise sqs_error.invalid_value(f"the request is not JSON: {error}") from None
            if not isinstance(document, dict):
                raise sqs_error.invalid_value("the request is not a JSON object")
            answer = await operation(document, request)
        except SqsError as error:
            return web.Response(status=400, body=error.body, headers={**_HEADERS, **error.headers})
        body = b"" if answer is None else json.dumps(answer).encode()
        return web.Response(body=body, headers=_HEADERS)

    async def _create(self, document: _Document, request: web.Request) -> _Document:
        name = _text(document, "QueueName")
        if not name or len(name) > 80 or not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
            raise sqs_error.invalid_value(
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length: the emulator "
                "has standard queues only"
            )
        attributes = document.get("Attributes") or {}
        if not isinstance(attributes, dict):
            raise sqs_error.invalid_value("Attributes is not an object")
        chosen: dict[str, int] = {}
        for key, value in attributes.items():
            if key not in _SETTABLE:
                raise sqs_error.invalid_attribute(f"Unknown Attribute {key}.")
            field, least, most = _SETTABLE[key]
            chosen[field] = _number({key: value}, key, least, most, 0)
        queue = Queue(name, time.time(), **chosen)
        if name not in self._queues:
            self._queues.add(queue)
        elif any(getattr(self._queues[name], field) != value for field, value in chosen.items()):
            raise sqs_error.name_exists(name)
        return {"QueueUrl": url(request.url.origin(), name)}

    async def _get_url(self, document: _Document, request: web.Request) -> _Document:
        name = _text(document, "QueueName")
        if name not in self._queues or document.get("QueueOwnerAWSAccountId") not in (None, function_name.ACCOUNT):
            raise sqs_error.no_queue()
        return {"QueueUrl": url(request.url.origin(), name)}

    async def _receive(self, document: _Document, request: web.Request) -> _Document:
        queue = self._queue(document)
        most = _number(document, "MaxNumberOfMessages", 1, 10, 1)
        seconds = _number(document, "WaitTimeSeconds", 0, 20, queue.wait_seconds)
        hidden = _number(document, "VisibilityTimeout", 0, 43_200, queue.visibility_timeout)
        names = {*_names(document, "AttributeNames"), *_names(document, "MessageSystemAttributeNames")}

        def gone() -> bool:
            return request.transport is None or request.transport.is_closing()

        messages = await self._queues.receive(queue, most, hidden, seconds, gone)
        return {"Messages": [_message(message, names) for message in messages]} if messages else {}

    async def _delete_message(self, document: _Document, request: web.Request) -> None:
        handle = _text(document, "ReceiptHandle")
        if not self._queue(document).delete(handle):
            raise sqs_error.invalid_handle(handle)

    async def _get_attributes(self, document: _Document, request: web.Request) -> _Document:
        queue = self._queue(document)
        visible, hidden = queue.counts(time.time())
        attributes = {
            "ApproximateNumberOfMessages": visible,
            "ApproximateNumberOfMessagesNotVisible": hidden,
            "ApproximateNumberOfMessagesDelayed": 0,
            "CreatedTimestamp": int(queue.created),
            "LastModifiedTimestamp": int(queue.created),
            "MaximumMessageSize": LARGEST_MESSAGE,
            "DelaySeconds": 0,
            "QueueArn": self._queues.arn(queue.name),
            **{name: getattr(queue, field) for name, (field, _, _) in _SETTABLE.items()},
        }
        names = _names(document, "AttributeNames")
        for name in names:
            if name != "All" and name not in attributes:
                raise sqs_error.invalid_attribute(f"Unknown Attribute {name}.")
        found = {name: str(value) for name, value in attributes.items() if name in names or "All" in names}
        return {"Attributes": found} if found else {}

    def _queue(self, document: _Document) -> Queue:
        account, _, name = urlsplit(_text(document, "QueueUrl")).path.lstrip("/").partition("/")
        if account != function_name.ACCOUNT or name not in self._queues:
            raise sqs_error.no_queue()
        return self._queues[name]


def url(origin: object, name: str) -> str:
    """The URL of a queue of the emulator at that origin (such as "http://127.0.0.1:9001")."""
    return f"{origin}/{function_name.ACCOUNT}/{name}"


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if value is None:
        raise sqs_error.missing(name)
    if not isinstance(value, str):
        raise sqs_error.invalid_value(f"{name} is not a string")
    return value


def _number(document: Mapping[str, Any], name: str, least: int, most: int, default: int) -> int:
    """A number, which attributes of queues have as text."""
    value = document.get(name, default)
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise sqs_error.invalid_value(
            f"Value {value} for parameter {name} is invalid. Reason: Must be between {least} and {most}, if provided."
        )
    return value


def _names(document: Mapping[str, Any], name: str) -> list[str]:
    names = document.get(name) or []
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise sqs_error.invalid_value(f"{name} is not a list of strings")
    return names


def _message(message: Message, names: set[str]) -> _Document:
    known = {
        "SenderId": function_name.ACCOUNT,
        "SentTimestamp": str(int(message.sent * 1000)),
        "ApproximateReceiveCount": str(message.received),
        "ApproximateFirstReceiveTimestamp": str(int(message.first_received * 1000)),
    }
    document: _Document = {
        "MessageId": message.id,
        "ReceiptHandle": message.handle,
        "MD5OfBody": message.digest,
        "Body": message.body,
    }
    wanted = {name: value for name, value in known.items() if name in names or "All" in names}
    return {**document, "Attributes": wanted} if wanted else document
