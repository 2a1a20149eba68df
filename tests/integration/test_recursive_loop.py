"""A job whose executors hand over to each other for longer than AWS lets a chain of invocations be."""

from __future__ import annotations

import os
import time
from typing import Any

import boto3

from wukong import Client, LocalCluster

STAGES = 28


def endpoint() -> str:
    return os.environ["WUKONG_LAMBDA_ENDPOINT"]


def short(value: int) -> int:
    time.sleep(0.06)
    return value


def long(value: int) -> int:
    time.sleep(0.16)
    return value


def add(*values: int) -> int:
    return sum(values)


def relay_race() -> dict[Any, Any]:
    """Each stage has a short task, which its executor begins with, and a long one, which it gives to another.

    The other is done last, so it goes on: each stage is one invocation deeper.
    """
    dsk: dict[Any, Any] = {("sum", 0): (add, 1)}
    for stage in range(1, STAGES + 1):
        dsk["short", stage] = (short, ("sum", stage - 1))
        dsk["long", stage] = (long, ("sum", stage - 1))
        dsk["sum", stage] = (add, ("short", stage), ("long", stage))
    return dsk


def test_a_chain_that_the_platform_cuts_goes_on_and_ends_right() -> None:
    with LocalCluster(environments=2, lease_seconds=60) as cluster, Client(cluster) as client:
        address = client.get({"x": (endpoint,)}, "x")
        platform = boto3.client(
            "lambda",
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id="anybody",
            aws_secret_access_key="anything",
        )
        platform.put_function_recursion_config(FunctionName="wukong-executor", RecursiveLoop="Terminate")
        platform.close()
        begun = time.monotonic()
        assert client.get(relay_race(), ("sum", STAGES)) == 2**STAGES
        assert "is the 17th of its chain and is stopped" in cluster.logs()["wukong-executor"]
        # Nobody waited for a lease: the scheduler was told, and began a chain of its own.
        assert time.monotonic() - begun < 55
