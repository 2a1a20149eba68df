"""Event invoke configurations, destinations and the queues that they fill, as boto3 sees them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wukong_lambda_emulator import trace

Emulate = Callable[..., Any]
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"


class Inbox:
    """A queue `q` of an emulator, and what came into it."""

    def __init__(self, emulator: Any) -> None:
        self.sqs = emulator.sqs()
        self.url = self.sqs.create_queue(QueueName="q")["QueueUrl"]
        names = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.arn = names["Attributes"]["QueueArn"]

    def next(self, seconds: int = 10) -> dict[str, Any]:
        """The next record, deleted from the queue."""
        answer = self.sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=seconds)
        (message,) = answer["Messages"]
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        record: dict[str, Any] = json.loads(message["Body"])
        return record

    def empty(self) -> bool:
        asked = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=asked)["Attributes"]
        return set(found.values()) == {"0"}


def configure(emulator: Any, inbox: Inbox, on: str, **more: Any) -> None:
    emulator.client.put_function_event_invoke_config(
        FunctionName="f", DestinationConfig={on: {"Destination": inbox.arn}}, **more
    )


def test_a_failed_event_goes_to_the_destination(emulate: Emulate, tmp_path: Path) -> None:
    emulator = emulate("record", retry_seconds=0.01)
    inbox = Inbox(emulator)
    configure(emulator, inbox, "OnFailure", MaximumRetryAttempts=2)
    event = {"file": str(tmp_path / "f"), "line": 1, "fail": True}
    id_ = emulator.invoke(event, InvocationType="Event")["ResponseMetadata"]["RequestId"]
    record = inbox.next()
    assert record.pop("timestamp").startswith(time.strftime("%Y-", time.gmtime()))
    payload = record.pop("responsePayload")
    assert (payload["errorType"], payload["errorMessage"]) == ("LookupError", "failed on purpose")
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": id_,
            "functionArn": ARN,
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
    }
    # Neither one that succeeds, nor one whose caller waits, is told of.
    emulator.invoke({"file": str(tmp_path / "f"), "line": 2}, InvocationType="Event")
    assert emulator.invoke(event)["FunctionError"] == "Unhandled"
    emulator.until(lambda: emulator.log().count("END RequestId") == 5)
    assert inbox.empty()


def test_a_killed_one_says_how_it_ended(emulate: Emulate) -> None:
    emulator = emulate("end")
    inbox = Inbox(emulator)
    configure(emulator, inbox, "OnFailure", MaximumRetryAttempts=0)
    emulator.invoke("kill", InvocationType="Event")
    record = inbox.next()
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responsePayload"]["errorType"] == "Runtime.ExitError"


def test_one_that_waited_for_too_long_says_so(emulate: Emulate) -> None:
    emulator = emulate("echo", maximum_event_age=0.1)
    inbox = Inbox(emulator)
    configure(emulator, inbox, "OnFailure", MaximumRetryAttempts=0)
    emulator.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    emulator.invoke([1], InvocationType="Event")
    record = inbox.next()
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert record["requestPayload"] == [1]
    assert "responsePayload" not in record


def test_one_that_is_too_old_for_a_retry_says_so_too(emulate: Emulate) -> None:
    emulator = emulate("fail", maximum_event_age=0.5, retry_seconds=30)
    inbox = Inbox(emulator)
    configure(emulator, inbox, "OnFailure", MaximumRetryAttempts=1)
    emulator.invoke({}, InvocationType="Event")
    record = inbox.next()
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responsePayload"]["errorType"] == "LookupError"


def test_a_success_goes_to_its_own_destination(emulate: Emulate) -> None:
    emulator = emulate("echo")
    inbox = Inbox(emulator)
    configure(emulator, inbox, "OnSuccess")
    emulator.invoke({"größe": 1}, InvocationType="Event")
    record = inbox.next()
    assert record["requestContext"]["condition"] == "Success"
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert record["requestPayload"] == record["responsePayload"] == {"größe": 1}


def test_a_stopped_chain_goes_to_the_destination(emulate: Emulate) -> None:
    emulator = emulate("echo", recursive_loop="Terminate")
    inbox = Inbox(emulator)
    configure(emulator, inbox, "OnFailure")
    header = ""
    for _ in range(16):
        header, _visits = trace.follow(header, ARN.removesuffix(":$LATEST"))

    def follow(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = header

    emulator.client.meta.events.register("before-send.lambda.Invoke", follow)
    emulator.invoke({"n": 17}, InvocationType="Event")
    record = inbox.next()
    assert record["requestPayload"] == {"n": 17}
    assert record["requestContext"]["approximateInvokeCount"] == 0


def test_a_record_too_large_for_a_queue_is_not_sent(emulate: Emulate) -> None:
    emulator = emulate("echo")
    inbox = Inbox(emulator)
    configure(emulator, inbox, "OnSuccess")
    emulator.invoke("x" * (2**20 - 100), InvocationType="Event")
    emulator.until(lambda: "was not sent to its destination: a message of 2,09" in emulator.log())
    assert inbox.empty()


def test_configurations_are_put_updated_listed_and_deleted(emulate: Emulate) -> None:
    emulator = emulate("echo")
    client, inbox = emulator.client, Inbox(emulator)
    missing = client.exceptions.ResourceNotFoundException
    for absent in (
        client.get_function_event_invoke_config,
        client.delete_function_event_invoke_config,
        lambda FunctionName: client.update_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=1),
    ):
        with pytest.raises(missing, match="doesn't have an EventInvokeConfig"):
            absent(FunctionName="f")
    assert client.list_function_event_invoke_configs(FunctionName="f")["FunctionEventInvokeConfigs"] == []
    configure(emulator, inbox, "OnFailure", MaximumEventAgeInSeconds=60)
    client.update_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=1)
    shown = client.get_function_event_invoke_config(FunctionName="f", Qualifier="$LATEST")
    assert (shown["FunctionArn"], shown["MaximumRetryAttempts"], shown["MaximumEventAgeInSeconds"]) == (ARN, 1, 60)
    assert shown["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {"Destination": inbox.arn}}
    assert abs(shown["LastModified"].timestamp() - time.time()) < 60
    (listed,) = client.list_function_event_invoke_configs(FunctionName="f")["FunctionEventInvokeConfigs"]
    assert listed == {key: value for key, value in shown.items() if key != "ResponseMetadata"}
    replaced = client.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
    assert "MaximumEventAgeInSeconds" not in replaced
    client.delete_function_event_invoke_config(FunctionName="f")
    with pytest.raises(missing):
        client.get_function_event_invoke_config(FunctionName="f")
    with pytest.raises(missing):
        client.get_function_event_invoke_config(FunctionName="g")


def test_a_destination_must_be_there(emulate: Emulate) -> None:
    client = emulate("echo").client
    target = {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:absent"}}
    with pytest.raises(client.exceptions.InvalidParameterValueException, match=r"there is no queue .*:absent"):
        client.put_function_event_invoke_config(FunctionName="f", DestinationConfig=target)


# Queues.


def test_a_queue_is_made_once_and_found(emulate: Emulate) -> None:
    sqs = emulate("echo").sqs()
    url = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "7"})["QueueUrl"]
    assert sqs.create_queue(QueueName="q")["QueueUrl"] == url
    assert sqs.get_queue_url(QueueName="q")["QueueUrl"] == url
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "7"
    assert attributes["ApproximateNumberOfMessages"] == "0"
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url)
    with pytest.raises(sqs.exceptions.QueueNameExists):
        sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "8"})
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="absent")
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.receive_message(QueueUrl=url + "x")
    with pytest.raises(sqs.exceptions.InvalidAttributeName):
        sqs.create_queue(QueueName="r", Attributes={"FifoQueue": "true"})
    with pytest.raises(sqs.exceptions.InvalidAttributeName):
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Colour"])
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.delete_message(QueueUrl=url, ReceiptHandle="nonsense")
    for wrong in ({"MaxNumberOfMessages": 11}, {"WaitTimeSeconds": 21}, {"VisibilityTimeout": -1}):
        with pytest.raises(sqs.exceptions.ClientError, match="Must be between") as raised:
            sqs.receive_message(QueueUrl=url, **wrong)
        assert raised.value.response["Error"]["Code"] == "InvalidParameterValue"
    with pytest.raises(sqs.exceptions.ClientError, match="Can only include alphanumeric"):
        sqs.create_queue(QueueName="q.fifo")
    with pytest.raises(sqs.exceptions.ClientError, match="no operation 'SendMessage'"):
        sqs.send_message(QueueUrl=url, MessageBody="x")


def test_a_receiver_waits_until_there_is_a_message(emulate: Emulate) -> None:
    emulator = emulate("echo")
    inbox = Inbox(emulator)
    configure(emulator, inbox, "OnSuccess")
    asked = {"QueueUrl": inbox.url, "VisibilityTimeout": 0, "AttributeNames": ["All"]}
    assert "Messages" not in inbox.sqs.receive_message(**asked)
    found: list[Any] = []
    receiver = threading.Thread(target=lambda: found.append(inbox.sqs.receive_message(**asked, WaitTimeSeconds=20)))
    receiver.start()
    emulator.invoke(1, InvocationType="Event")
    receiver.join(15)
    (message,) = found[0]["Messages"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert abs(int(message["Attributes"]["SentTimestamp"]) / 1000 - time.time()) < 60
    # It was not deleted and at once visible again.
    (again,) = inbox.sqs.receive_message(**asked)["Messages"]
    assert again["MessageId"] == message["MessageId"]
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"


def test_a_receiver_waits_for_a_message_to_become_visible_again(emulate: Emulate) -> None:
    emulator = emulate("echo")
    inbox = Inbox(emulator)
    configure(emulator, inbox, "OnSuccess")
    emulator.invoke(1, InvocationType="Event")
    hidden = {"QueueUrl": inbox.url, "VisibilityTimeout": 1}
    (first,) = inbox.sqs.receive_message(**hidden, WaitTimeSeconds=10)["Messages"]
    (again,) = inbox.sqs.receive_message(**hidden, WaitTimeSeconds=10)["Messages"]
    assert again["MessageId"] == first["MessageId"]
