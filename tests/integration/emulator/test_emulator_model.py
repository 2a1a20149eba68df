"""Every response of every operation that the emulator serves, held against botocore's own model of the service.

The test reads responses as they come over the wire: botocore's parser forgives what is missing, unknown or of another
type.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import botocore.session
import pytest

from wukong_lambda_emulator import api_error, sqs_error
from wukong_lambda_emulator.api_error import ApiError
from wukong_lambda_emulator.invoke_api import InvokeApi
from wukong_lambda_emulator.queues import Queues
from wukong_lambda_emulator.sqs_api import SqsApi
from wukong_lambda_emulator.sqs_error import SqsError

Emulate = Callable[..., Any]
LAMBDA = botocore.session.get_session().get_service_model("lambda")
SQS = botocore.session.get_session().get_service_model("sqs")

#: What AWS answers to any request that it does not understand; no service's model has them.
UNMODELLED = {"UnknownOperationException", "InvalidParameterValueException", "MissingRequiredParameterException"}


def check(shape: Any, value: Any, where: str) -> None:
    """Fail unless `value`, of a JSON document, is of that shape."""
    match shape.type_name:
        case "structure":
            assert isinstance(value, dict), where
            members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
            assert set(value) <= set(members), f"{where}: {set(value) - set(members)} are unknown"
            assert set(shape.required_members) <= set(value), f"{where} lacks something"
            for name, each in value.items():
                check(members[name], each, f"{where}.{name}")
        case "list":
            assert isinstance(value, list), where
            for number, each in enumerate(value):
                check(shape.member, each, f"{where}[{number}]")
        case "map":
            assert isinstance(value, dict), where
            for name, each in value.items():
                check(shape.key, name, f"{where} key {name}")
                check(shape.value, each, f"{where}.{name}")
        case "string":
            assert isinstance(value, str), where
            assert value in shape.metadata.get("enum", [value]), f"{where}: {value!r} is not in the enumeration"
            assert shape.metadata.get("min", 0) <= len(value) <= shape.metadata.get("max", len(value)), where
            if pattern := shape.metadata.get("pattern"):
                assert re.fullmatch(pattern, value), f"{where}: {value!r} does not match {pattern}"
        case "integer" | "long":
            assert isinstance(value, int), f"{where}: {value!r} is not a whole number"
            assert not isinstance(value, bool), where
            assert shape.metadata.get("min", value) <= value <= shape.metadata.get("max", value), where
        case "timestamp":
            assert isinstance(value, (int, float)), f"{where}: {value!r} is no time in seconds"
        case "boolean":
            assert isinstance(value, bool), where
        case other:
            raise AssertionError(f"{where}: no check for {other}")


def check_parts(shape: Any, headers: Mapping[str, str], body: bytes, where: str) -> None:
    """Check a whole response: what the model puts into headers, and the document with the rest."""
    known = {name.lower(): value for name, value in headers.items()}
    document = json.loads(body) if body else {}
    inside = set(document)
    for name, member in shape.members.items():
        if member.serialization.get("location") == "header":
            inside.discard(name)
            value = known.get(member.serialization["name"].lower())
            assert value is not None or name not in shape.required_members, f"{where} lacks {name}"
            if value is not None:
                check(member, value, f"{where}.{name}")
    assert inside == set(document), f"{where}: a header's member is in the document"
    check(shape, document, where)


class Wire:
    """Watches what comes back to a client, and checks each response."""

    def __init__(self, *clients: Any) -> None:
        self.seen: set[str] = set()
        self.refused: set[str] = set()
        for client in clients:
            client.meta.events.register("before-parse.*.*", self._received)

    def _received(self, operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
        name, status = operation_model.name, response_dict["status_code"]
        headers, body = response_dict["headers"], response_dict["body"]
        if status >= 300:
            self.refused.add(f"{name} {self._error(operation_model, status, headers, body)}")
            return
        self.seen.add(name)
        shape = operation_model.output_shape
        if not any(member.serialization.get("location") == "statusCode" for member in _members(shape)):
            assert status == operation_model.http.get("responseCode", 200), name
        if shape is None:
            assert body == b"", name
        elif operation_model.has_streaming_output or "Payload" in shape.members:
            check_parts(_without_payload(shape), headers, b"", name)
        else:
            assert headers["Content-Type"].startswith("application/"), name
            check_parts(shape, headers, body, name)

    def _error(self, operation: Any, status: int, headers: Mapping[str, str], body: bytes) -> str:
        document = json.loads(body)
        name = str(headers.get("x-amzn-ErrorType") or document.pop("__type").partition("#")[2])
        declared = {shape.name: shape for shape in operation.error_shapes}
        if name in declared:
            check_error(declared[name], status, headers, document)
        else:
            assert name in UNMODELLED, f"{operation.name} does not declare {name}"
        return name


def _members(shape: Any) -> list[Any]:
    return list(shape.members.values()) if shape else []


def _without_payload(shape: Any) -> Any:
    class Rest:
        type_name = "structure"
        required_members: tuple[str, ...] = ()
        members = {name: member for name, member in shape.members.items() if name != "Payload"}  # noqa: RUF012

    return Rest


def check_error(shape: Any, status: int, headers: Mapping[str, str], document: dict[str, Any]) -> None:
    wanted = shape.metadata.get("error", {}).get("httpStatusCode")
    assert wanted in (None, status), f"{shape.name} is {wanted}, not {status}"
    if shape.members:
        check_parts(shape, headers, json.dumps(document).encode(), shape.name)
        assert any(name.lower() == "message" for name in document), shape.name


def served() -> tuple[set[str], set[str]]:
    """The names of the operations behind the emulator's routes: Lambda's and SQS's."""
    by_request = {}
    for name in LAMBDA.operation_names:
        http = LAMBDA.operation_model(name).http
        path = http["requestUri"].partition("?")[0].rstrip("/")
        by_request[http["method"], path.replace("{FunctionName}", "{function}")] = name
    found = set()
    for route in InvokeApi({}, Queues("us-east-1"), "us-east-1").application().router.routes():
        assert route.resource is not None
        path = route.resource.canonical.rstrip("/")
        if route.method != "HEAD" and path:
            assert (route.method, path) in by_request, f"Lambda has no {route.method} {path}"
            found.add(by_request[route.method, path])
    return found, set(SqsApi.OPERATIONS)


def test_the_routes_are_those_of_the_model() -> None:
    lambda_operations, sqs_operations = served()
    assert {"Invoke", "ListFunctions", "PutFunctionEventInvokeConfig"} <= lambda_operations
    assert sqs_operations <= set(SQS.operation_names)


def test_every_response_of_every_operation_has_the_models_shape(emulate: Emulate) -> None:
    emulator = emulate("fail", timeout=2.5, environment={"COLOUR": "b"}, recursive_loop="Terminate", warm=1)
    client, sqs = emulator.client, emulator.sqs()
    wire = Wire(client, sqs)

    # Lambda, in ways that lead to every member that the emulator gives.
    emulator.invoke({}, LogType="Tail")
    emulator.invoke({}, InvocationType="DryRun")
    client.get_function(FunctionName="f")
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=3)
    client.get_function(FunctionName="f")
    client.get_function_concurrency(FunctionName="f")
    client.delete_function_concurrency(FunctionName="f")
    client.get_function_concurrency(FunctionName="f")
    client.get_function_configuration(FunctionName="f")
    client.list_functions()
    client.list_function_event_invoke_configs(FunctionName="f")
    client.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    client.get_function_recursion_config(FunctionName="f")

    # SQS, and the destination in between.
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.get_queue_url(QueueName="q")
    sqs.get_queue_attributes(QueueUrl=url)
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["QueueArn"]
    target = {"OnFailure": {"Destination": arn}}
    client.put_function_event_invoke_config(FunctionName="f", DestinationConfig=target, MaximumRetryAttempts=0)
    client.update_function_event_invoke_config(FunctionName="f", MaximumEventAgeInSeconds=60)
    client.get_function_event_invoke_config(FunctionName="f")
    client.list_function_event_invoke_configs(FunctionName="f")
    sqs.receive_message(QueueUrl=url)
    emulator.invoke({}, InvocationType="Event")
    asked = {"QueueUrl": url, "AttributeNames": ["All"], "WaitTimeSeconds": 20}
    (message,) = sqs.receive_message(**asked)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    client.delete_function_event_invoke_config(FunctionName="f")

    lambda_operations, sqs_operations = served()
    assert wire.seen == lambda_operations | sqs_operations


def test_what_is_refused_is_refused_as_the_operation_declares(emulate: Emulate) -> None:
    emulator = emulate("echo", chaos={"throttle": 1.0})
    client, sqs = emulator.client, emulator.sqs()
    wire = Wire(client, sqs)

    def refused(call: Callable[..., Any], **arguments: Any) -> None:
        with pytest.raises(botocore.exceptions.ClientError):
            call(**arguments)

    refused(emulator.invoke)
    refused(emulator.invoke, event=b"{")
    refused(emulator.invoke, event=b'"' + b"x" * (6 * 2**20 - 1) + b'"')
    for call in (
        client.invoke,
        client.get_function,
        client.get_function_configuration,
        client.get_function_concurrency,
        client.delete_function_concurrency,
        client.get_function_event_invoke_config,
        client.delete_function_event_invoke_config,
        client.list_function_event_invoke_configs,
        client.get_function_recursion_config,
    ):
        refused(call, FunctionName="absent")
    refused(client.put_function_concurrency, FunctionName="absent", ReservedConcurrentExecutions=1)
    refused(client.put_function_event_invoke_config, FunctionName="f")
    refused(client.update_function_event_invoke_config, FunctionName="f", MaximumRetryAttempts=1)
    refused(client.put_function_recursion_config, FunctionName="f", RecursiveLoop="Sometimes")
    refused(client.list_tags, Resource="arn:aws:lambda:us-east-1:000000000000:function:f")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    refused(sqs.create_queue, QueueName="q", Attributes={"VisibilityTimeout": "1"})
    refused(sqs.create_queue, QueueName="r", Attributes={"Colour": "1"})
    refused(sqs.get_queue_url, QueueName="absent")
    refused(sqs.receive_message, QueueUrl=url + "x")
    refused(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=21)
    refused(sqs.delete_message, QueueUrl=url, ReceiptHandle="x")
    refused(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["x"])
    refused(sqs.purge_queue, QueueUrl=url)
    assert len(wire.refused) == 25
    assert {
        "Invoke TooManyRequestsException",
        "Invoke InvalidRequestContentException",
        "Invoke RequestTooLargeException",
        "Invoke ResourceNotFoundException",
        "ListTags UnknownOperationException",
        "CreateQueue QueueNameExists",
        "DeleteMessage ReceiptHandleIsInvalid",
    } <= wire.refused


def errors(module: Any) -> Iterator[tuple[str, Any]]:
    """Each error that a module can make, made with some arguments."""
    samples = {"int": 1, "str": "x", "bool": True}
    for name, make in inspect.getmembers(module, inspect.isfunction):
        parameters = inspect.signature(make).parameters.values()
        positional = [samples[each.annotation] for each in parameters if each.kind is not each.KEYWORD_ONLY]
        yield name, make(*positional, **{e.name: samples[e.annotation] for e in parameters if e.kind is e.KEYWORD_ONLY})


def test_every_error_has_the_models_shape() -> None:
    for name, error in errors(api_error):
        assert isinstance(error, ApiError), name
        check_error(LAMBDA.shape_for(error.name), error.status, error.headers, json.loads(error.body))
    for name, error in errors(sqs_error):
        assert isinstance(error, SqsError), name
        namespace, _, kind = error.kind.partition("#")
        assert (kind in UNMODELLED) == (namespace == "com.amazon.coral.service"), name
        if kind not in UNMODELLED:
            assert kind in SQS.shape_names, name
