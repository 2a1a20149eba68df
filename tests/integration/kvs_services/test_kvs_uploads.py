"""Uploads of values through the proxy, over real gRPC and real stores."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
from tests.integration.kvs_services.stage import MIB, VALUES, Stage, same, until, upload

from wukong.errors import ValueRefused
from wukong.rpc.content import content_hash
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import (
    data_pb2,
)
from wukong.values import codec


@pytest.mark.parametrize("name", VALUES)
def test_an_uploaded_value_is_what_executors_load(stage: Stage, name: str) -> None:
    packed = codec.pack(VALUES[name])
    ref = stage.put("j", packed)
    assert not ref.known
    assert ref.hash == content_hash(packed.pickle, packed.buffers)
    with stage.values() as values:
        loaded = values.load("j", "7", ref.mark)
    assert same(loaded, VALUES[name])
    assert stage.mds.hold_input(ref.hash, "other", 3600.0) == ref.mark


def test_a_known_value_is_answered_before_it_is_sent(stage: Stage) -> None:
    packed = codec.pack(np.arange(100_000))
    first = stage.put("j", packed)
    sent = 0

    def requests() -> Iterator[data_pb2.PutValueRequest]:
        nonlocal sent
        for request in upload("k", packed, piece=10):
            sent += 1
            yield request

    with wukong_errors(stage.proxy.address):
        again = stage.data.PutValue(requests())
    assert again.known
    assert (again.hash, again.mark) == (first.hash, first.mark)
    assert sent < 79_000  # of 80,000: the answer did not wait for the end
    assert set(stage.mds.drop_inputs("j")) == set()
    (owner,) = stage.mds.drop_inputs("k")
    assert owner.startswith(f"in:{first.hash}:")
    assert {key.split(":v:")[0] for key in stage.stored() if ":v:" in key} == {f"w:{owner}"}


def test_the_same_value_at_once_is_taken_once(stage: Stage) -> None:
    packed = codec.pack(np.random.default_rng(2).random(3 * MIB))
    with ThreadPoolExecutor(4) as threads:
        refs = list(threads.map(lambda number: stage.put(f"j-{number}", packed), range(4)))
    assert sorted(ref.known for ref in refs) == [False, True, True, True]
    assert len({ref.mark for ref in refs}) == 1
    assert len([key for key in stage.stored() if ":v:" in key]) == 2  # the stripes of 24 MiB


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "0" * 64}, "has the hash"),
        ({"data": b"short"}, "fewer bytes"),
        ({"data": b"x" * (40 * MIB)}, "more bytes"),
    ],
)
def test_a_value_that_is_not_as_announced_leaves_nothing(stage: Stage, change: dict[str, Any], message: str) -> None:
    packed = codec.pack(np.random.default_rng(3).integers(0, 256, 35 * MIB, dtype=np.uint8))
    with pytest.raises(ValueRefused, match=message):
        stage.put("j", packed, **change)
    assert stage.stored() == []
    assert stage.mds.drop_inputs("j") == []


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(stage: Stage) -> None:
    packed = codec.pack(np.random.default_rng(4).integers(0, 256, 35 * MIB, dtype=np.uint8))
    stored, gone = threading.Event(), threading.Event()

    def requests() -> Iterator[data_pb2.PutValueRequest]:
        for number, request in enumerate(upload("j", packed)):
            if number == 34:
                stored.set()
                gone.wait(20)
            yield request

    call = stage.data.PutValue.future(requests())
    assert stored.wait(20)
    until(lambda: len(stage.stored()) > 0)
    call.cancel()
    gone.set()
    until(lambda: stage.stored() == [])
    assert not stage.put("j", packed).known  # nothing is stuck


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ([], "begins with its header"),
        ([data_pb2.PutValueRequest(data=b"x")], "begins with its header"),
        ([data_pb2.PutValueRequest(header=data_pb2.PutValueHeader(job_id="a:b", hash="0" * 64))], "no job id"),
        ([data_pb2.PutValueRequest(header=data_pb2.PutValueHeader(job_id="j", hash="../x"))], "not a SHA-256"),
        ([data_pb2.PutValueRequest(header=data_pb2.PutValueHeader(job_id="j", hash="0" * 64))], "no pickle"),
    ],
)
def test_a_malformed_upload_is_an_invalid_argument(
    stage: Stage, requests: list[data_pb2.PutValueRequest], message: str
) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        stage.data.PutValue(iter(requests))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert message in str(raised.value.details())
