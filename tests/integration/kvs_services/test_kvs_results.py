"""Results through the proxy, over real gRPC and real stores."""

from __future__ import annotations

import hashlib

import pytest
from tests.integration.kvs_services.stage import MIB, VALUES, Stage, same

from wukong.errors import UnknownJob, ValueRefused, WukongError
from wukong.mds import keys
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import data_pb2, ring_pb2
from wukong.values import codec
from wukong.values.manifest import Manifest
from wukong.values.mark import json_mark, split_manifest_mark


@pytest.mark.parametrize(
    ("name", "stored"), [*((name, True) for name in VALUES), ("many buffers", False), ("small", False)]
)
def test_a_result_arrives_as_it_was_computed(stage: Stage, name: str, stored: bool) -> None:
    packed = codec.pack(VALUES[name])
    with stage.values() as values:
        mark = values.store("j", "0", packed, "t", 60.0) if stored else values.inline("j", "0", packed)
    stage.finish("j", {0: mark})
    assert same(stage.fetch("j", 0), VALUES[name])


@pytest.mark.parametrize("value", [None, True, 3, 2.5, "text", b"bytes"])
def test_a_scalar_comes_as_its_mark(stage: Stage, value: object) -> None:
    mark = codec.pack(value).scalar
    assert mark is not None
    stage.finish("j", {5: mark})
    (chunk,), data = stage.result("j", 5)
    assert (chunk.mark, chunk.total, data) == (mark, 0, b"")


def test_json_comes_as_its_mark(stage: Stage) -> None:
    stage.finish("j", {0: json_mark([1, {"a": None}])})
    (chunk,), _ = stage.result("j", 0)
    assert chunk.mark == b'J[1,{"a":null}]'


def test_an_uploaded_value_can_be_a_result(stage: Stage) -> None:
    ref = stage.put("j", codec.pack(VALUES["array"]))
    stage.finish("j", {0: ref.mark})
    assert same(stage.fetch("j", 0), VALUES["array"])


@pytest.mark.parametrize(
    ("name", "stored"),
    [("large pickle", True), ("many buffers", True), ("several stripes", True), ("many buffers", False)],
)
def test_a_broken_stream_resumes_anywhere(stage: Stage, name: str, stored: bool) -> None:
    packed = codec.pack(VALUES[name])
    with stage.values() as values:
        mark = values.store("j", "0", packed, "t", 60.0) if stored else values.inline("j", "0", packed)
    stage.finish("j", {0: mark})
    whole = b"".join([packed.pickle, *packed.buffers])
    border = len(packed.pickle)
    for offset in {0, 1, border - 1, border, border + 1, MIB + 1, len(whole) - 1, len(whole)}:
        if offset > len(whole):
            continue
        chunks, data = stage.result("j", 0, offset)
        assert chunks[0].total == len(whole)
        assert chunks[0].layout.pickle_length == border
        assert hashlib.sha256(data).digest() == hashlib.sha256(whole[offset:]).digest()


@pytest.mark.parametrize("job", ["never", "", "j:m", "j" * 129])
def test_a_result_of_an_unknown_job_is_refused(stage: Stage, job: str) -> None:
    if job != "never":
        stage.finish(job, {0: b"N"})  # what is no job id is not looked for
    with pytest.raises(UnknownJob) as raised:
        stage.result(job, 0)
    assert raised.value.job == job


def test_a_result_that_is_not_there_yet_says_so(stage: Stage) -> None:
    stage.finish("j", {0: b"N"})
    with pytest.raises(WukongError, match="task 3 of job 'j' has no value to give; the job is done"):
        stage.result("j", 3)


def test_a_mark_of_another_value_is_refused(stage: Stage) -> None:
    with stage.values() as values:
        packed = codec.pack(VALUES["array"])
        marks = {0: values.inline("j", "1", packed), 1: values.store("j", "0", packed, "t", 60.0)}
    stage.finish("j", marks)
    for task in marks:
        with pytest.raises(ValueRefused):
            stage.result("j", task)


def test_a_pickle_that_was_changed_in_the_store_is_never_sent_whole(stage: Stage) -> None:
    packed = codec.pack(VALUES["large pickle"])
    with stage.values() as values:
        mark = values.store("j", "0", packed, "t", 60.0)
    stage.finish("j", {0: mark})
    manifest = Manifest.decode(split_manifest_mark(mark)[1])
    assert manifest.pickle is None
    (key,) = [key for key in stage.stored() if ":v:" in key]
    for store in ("kvs-0", "kvs-1"):
        if stage.redis(store, "EXISTS", key):
            stage.redis(store, "SETRANGE", key, 10, b"evil")
    received = bytearray()

    def receive() -> None:
        for chunk in stage.data.GetResult(data_pb2.GetResultRequest(job_id="j", task=0)):
            received.extend(chunk.data)

    with pytest.raises(ValueRefused, match="was changed in the KVS"), wukong_errors("proxy"):
        receive()
    assert len(received) < len(packed.pickle)


def test_a_value_that_is_gone_says_so(stage: Stage) -> None:
    with stage.values() as values:
        mark = values.store("j", "0", codec.pack(VALUES["array"]), "t", 60.0)
        values.kvs.purge("j")
    stage.finish("j", {0: mark})
    with pytest.raises(WukongError, match="is not in the KVS"):
        stage.result("j", 0)


def test_a_job_is_read_through_the_ring_that_it_is_pinned_to(stage: Stage) -> None:
    packed = codec.pack(VALUES["array"])
    with stage.values() as values:
        mark = values.store("j", "0", packed, "t", 60.0)
    stage.finish("j", {0: mark})
    stage.ring.Register(
        ring_pb2.RegisterRequest(node=ring_pb2.KvsNode(id="kvs-9", address="127.0.0.1:1", agent_address="127.0.0.1:1"))
    )
    assert stage.newest().version == 3
    assert same(stage.fetch("j", 0), VALUES["array"])
    assert stage.redis("mds", "EXISTS", keys.ring(2)) == 1
