"""The scheduler's requests to SQS are those that boto3 makes."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from wukong.errors import ClusterUnavailable
from wukong.invocation.connections import Answer
from wukong_scheduler.queue_api import QueueApi

ENDPOINT = "http://127.0.0.1:1"
QUEUE = f"{ENDPOINT}/123456789012/failures"
MESSAGES = {"Messages": [{"MessageId": "1", "ReceiptHandle": "handle", "MD5OfBody": "x", "Body": "text"}]}


class Connections:
    """Stands for the connections: keeps what is asked, and answers."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict[str, Any], dict[str, str]]] = []

    def post(self, path: str, payload: bytes, headers: dict[str, str]) -> Answer:
        self.asked.append(("POST", path, json.loads(payload), headers))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def answer(status: int, body: bytes) -> Answer:
    return Answer(status, "", body)


@pytest.fixture(autouse=True)
def _nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobodys")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


def api(connections: Connections, endpoint: str = ENDPOINT) -> QueueApi:
    made = QueueApi(QUEUE, endpoint, 20)
    made.__dict__["_connections"] = connections
    return made


def of_boto3(endpoint: str, operation: str, **arguments: Any) -> tuple[str, str, dict[str, Any], dict[str, str]]:
    """The request that boto3 would send."""
    sent: list[Any] = []

    def keep(request: Any, **_: Any) -> AWSResponse:
        sent.append(request)
        response = AWSResponse(request.url, 200, {}, None)
        response._content = b"{}"
        return response

    client = boto3.client("sqs", endpoint_url=endpoint, region_name="us-east-1")
    client.meta.events.register("before-send.sqs", keep)
    getattr(client, operation)(**arguments)
    client.close()
    (request,) = sent
    headers = {name: value if isinstance(value, str) else value.decode() for name, value in request.headers.items()}
    return request.method, request.url.removeprefix(ENDPOINT), json.loads(request.body), headers


@pytest.mark.parametrize("endpoint", [ENDPOINT, f"{ENDPOINT}/behind/"])
@pytest.mark.parametrize("operation", ["receive_message", "delete_message"])
def test_requests_are_those_of_boto3(operation: str, endpoint: str) -> None:
    connections = Connections(answer(200, json.dumps(MESSAGES).encode()))
    if operation == "receive_message":
        known = of_boto3(endpoint, operation, QueueUrl=QUEUE, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        assert api(connections, endpoint).receive() == [("text", "handle")]
    else:
        known = of_boto3(endpoint, operation, QueueUrl=QUEUE, ReceiptHandle="handle")
        api(connections, endpoint).delete("handle")
    (found,) = connections.asked
    assert found[:3] == known[:3]
    for name in ("X-Amz-Target", "Content-Type"):
        assert found[3][name] == known[3][name]
    assert "/us-east-1/sqs/aws4_request" in found[3]["Authorization"]


def test_an_empty_answer_has_no_messages() -> None:
    assert api(Connections(answer(200, b"{}"))).receive() == []


def test_an_error_says_what_sqs_said() -> None:
    connections = Connections(answer(400, b'{"__type": "QueueDoesNotExist"}'))
    with pytest.raises(ClusterUnavailable, match=r"ReceiveMessage with status 400.*QueueDoesNotExist"):
        api(connections).receive()


def test_no_answer_is_the_callers() -> None:
    with pytest.raises(ConnectionResetError):
        api(Connections(ConnectionResetError())).receive()
