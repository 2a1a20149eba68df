"""A function's recursive loop detection, as it is set and shown through the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from wukong_lambda_emulator import trace

Emulate = Callable[..., Any]
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


@pytest.fixture
def looping(emulate: Emulate) -> Any:
    """An emulator whose caller sends the header of a chain that went through the function 16 times already."""
    emulator = emulate("echo")
    header = ""
    for _ in range(16):
        header, _visits = trace.follow(header, ARN)

    def follow(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = header

    emulator.client.meta.events.register("before-send.lambda.Invoke", follow)
    return emulator


def test_what_was_put_is_told_and_kept_to(looping: Any) -> None:
    client = looping.client
    assert client.get_function_recursion_config(FunctionName="f")["RecursiveLoop"] == "Allow"
    assert looping.invoke(1)["Payload"] == 1
    for _ in range(2):
        put = client.put_function_recursion_config(FunctionName=ARN, RecursiveLoop="Terminate")
        assert put["RecursiveLoop"] == "Terminate"
    assert client.get_function_recursion_config(FunctionName="f")["RecursiveLoop"] == "Terminate"
    with pytest.raises(client.exceptions.RecursiveInvocationException):
        looping.invoke(2)
    client.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    assert looping.invoke(3)["Payload"] == 3


@pytest.mark.parametrize("value", ["terminate", "", 1])
def test_other_values_are_refused_and_change_nothing(emulate: Emulate, value: Any) -> None:
    emulator = emulate("echo", recursive_loop="Terminate")
    emulator.client.meta.events.register("before-call.lambda.PutFunctionRecursionConfig", _body(value))
    with pytest.raises(ClientError, match=r"InvalidParameterValueException.*Allow, Terminate"):
        emulator.client.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    assert emulator.client.get_function_recursion_config(FunctionName="f")["RecursiveLoop"] == "Terminate"


def _body(value: Any) -> Callable[..., None]:
    def replace(params: dict[str, Any], **_: Any) -> None:
        params["body"] = json.dumps({"RecursiveLoop": value}).encode()

    return replace
