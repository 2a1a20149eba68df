"""Real servers and channels on loopback: what a call meets on its way, and what comes back."""

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tests.server_thread import served

from wukong import errors
from wukong.errors import WukongError
from wukong.rpc import server as rpc_server
from wukong.rpc.channel import async_channel, channel
from wukong.rpc.server import Context
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import (
    data_pb2,
    data_pb2_grpc,
    node_pb2,
    node_pb2_grpc,
    ring_pb2,
    ring_pb2_grpc,
    value_pb2,
)

TOKEN = "the-token"
SERVICES = ("wukong.rpc.v1.Data", "wukong.rpc.v1.Node")

RAISED: dict[str, Callable[[], Exception]] = {
    "InvalidGraph": lambda: errors.InvalidGraph("a cycle"),
    "UnknownJob": lambda: errors.UnknownJob("j"),
    "LimitExceeded": lambda: errors.LimitExceeded("tasks", 2, 1),
    "TaskError": lambda: errors.TaskError(("x", 0), 1, "T" * 100_000),
    "ClusterUnavailable": lambda: errors.ClusterUnavailable("no store"),
    "ZeroDivisionError": lambda: ZeroDivisionError("1/0"),
}


class Node(node_pb2_grpc.NodeServicer):
    async def Stats(self, request: node_pb2.StatsRequest, context: Context) -> node_pb2.NodeStats:
        return node_pb2.NodeStats(node_id="n-1")

    async def PurgeJob(self, request: node_pb2.PurgeJobRequest, context: Context) -> node_pb2.PurgeJobResponse:
        raise RAISED[request.owner]()


class Data(data_pb2_grpc.DataServicer):
    async def PutValue(
        self, request_iterator: AsyncIterator[data_pb2.PutValueRequest], context: Context
    ) -> value_pb2.ValueRef:
        async for request in request_iterator:
            if request.data in (b"UnknownJob", b"ZeroDivisionError"):
                raise RAISED[request.data.decode()]()
        return value_pb2.ValueRef(hash="h")

    async def GetResult(
        self, request: data_pb2.GetResultRequest, context: Context
    ) -> AsyncIterator[data_pb2.ResultChunk]:
        for _ in range(request.task):
            yield data_pb2.ResultChunk(data=b"x")
        if request.job_id:
            raise RAISED[request.job_id]()


def add_servicers(server: grpc.aio.Server) -> None:
    data_pb2_grpc.add_DataServicer_to_server(Data(), server)
    node_pb2_grpc.add_NodeServicer_to_server(Node(), server)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(add_servicers, TOKEN, SERVICES) as address:
        yield address


@pytest.fixture
def caller(address: str) -> Iterator[grpc.Channel]:
    with channel(address, TOKEN) as opened:
        yield opened


def test_all_kinds_of_calls_pass_with_the_token(caller: grpc.Channel) -> None:
    assert node_pb2_grpc.NodeStub(caller).Stats(node_pb2.StatsRequest()).node_id == "n-1"
    data = data_pb2_grpc.DataStub(caller)
    assert data.PutValue(iter([data_pb2.PutValueRequest(data=b"a")])).hash == "h"
    assert len(list(data.GetResult(data_pb2.GetResultRequest(task=3)))) == 3


def test_an_async_channel_carries_the_token(address: str) -> None:
    async def call() -> str:
        async with async_channel(address, TOKEN) as opened:
            return (await node_pb2_grpc.NodeStub(opened).Stats(node_pb2.StatsRequest())).node_id

    assert asyncio.run(call()) == "n-1"


@pytest.mark.parametrize("token", ["wrong", "the-token-2", "the-toke", ""])
def test_a_wrong_token_is_refused_for_all_kinds_of_calls(address: str, token: str) -> None:
    with channel(address, token) as opened:
        data = data_pb2_grpc.DataStub(opened)
        calls: list[Callable[[], object]] = [
            lambda: node_pb2_grpc.NodeStub(opened).Stats(node_pb2.StatsRequest()),
            lambda: data.PutValue(iter([data_pb2.PutValueRequest(data=b"a")])),
            lambda: list(data.GetResult(data_pb2.GetResultRequest(task=3))),
        ]
        for call in calls:
            with pytest.raises(errors.AccessDenied, match="the token is wrong"), wukong_errors(address):
                call()


@pytest.mark.parametrize("token", ["töken", "the-token\n"])
def test_a_token_that_no_header_can_carry_is_refused_at_once(token: str) -> None:
    with pytest.raises(errors.AccessDenied, match="printable ASCII"):
        channel("127.0.0.1:1", token)


def test_a_missing_token_is_refused(address: str) -> None:
    with (
        grpc.insecure_channel(address) as opened,
        pytest.raises(grpc.RpcError) as raised,
    ):
        node_pb2_grpc.NodeStub(opened).Stats(node_pb2.StatsRequest())
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "authorization: Bearer" in str(raised.value.details())


def test_an_empty_token_starts_no_server() -> None:
    with pytest.raises(WukongError, match="token is empty"):
        asyncio.run(_start("127.0.0.1:0", token=""))


@pytest.mark.parametrize("name", [name for name in RAISED if name != "ZeroDivisionError"])
def test_errors_of_unary_calls_arrive(caller: grpc.Channel, address: str, name: str) -> None:
    expected = RAISED[name]()
    with pytest.raises(type(expected)) as raised, wukong_errors(address):
        node_pb2_grpc.NodeStub(caller).PurgeJob(node_pb2.PurgeJobRequest(owner=name))
    assert type(raised.value) is type(expected)
    assert str(raised.value)[:1000] == str(expected)[:1000]
    assert raised.value.__dict__.keys() == expected.__dict__.keys()


def test_an_error_after_some_of_a_stream_arrives(caller: grpc.Channel, address: str) -> None:
    seen: list[data_pb2.ResultChunk] = []
    chunks = data_pb2_grpc.DataStub(caller).GetResult(data_pb2.GetResultRequest(job_id="UnknownJob", task=2))
    with pytest.raises(errors.UnknownJob, match="no job 'j' is known") as raised, wukong_errors(address):
        seen.extend(chunks)
    assert raised.value.job == "j"
    assert len(seen) == 2


def test_an_error_in_the_middle_of_an_upload_arrives(caller: grpc.Channel, address: str) -> None:
    requests = (data_pb2.PutValueRequest(data=part) for part in (b"a", b"UnknownJob", *[b"b"] * 1000))
    with pytest.raises(errors.UnknownJob), wukong_errors(address):
        data_pb2_grpc.DataStub(caller).PutValue(requests)


@pytest.mark.parametrize("kind", ["unary", "stream", "upload"])
def test_a_bug_becomes_a_reference_to_the_log(
    caller: grpc.Channel, address: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    bug = "ZeroDivisionError"
    data = data_pb2_grpc.DataStub(caller)
    calls: dict[str, Callable[[], object]] = {
        "unary": lambda: node_pb2_grpc.NodeStub(caller).PurgeJob(node_pb2.PurgeJobRequest(owner=bug)),
        "stream": lambda: list(data.GetResult(data_pb2.GetResultRequest(job_id=bug))),
        "upload": lambda: data.PutValue(iter([data_pb2.PutValueRequest(data=bug.encode())])),
    }
    with pytest.raises(WukongError, match=r"INTERNAL.*unexpectedly") as raised, wukong_errors(address):
        calls[kind]()
    assert type(raised.value) is WukongError
    reference = re.findall(r"under ([0-9a-f]{8})", str(raised.value))[0]
    record = next(record for record in caplog.records if reference in record.getMessage())
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)
    assert "1/0" not in str(raised.value)


def test_a_method_that_the_server_lacks_is_a_version_mismatch(caller: grpc.Channel, address: str) -> None:
    with pytest.raises(errors.VersionMismatch, match=re.escape(address)), wukong_errors(address):
        ring_pb2_grpc.RingStub(caller).GetRing(ring_pb2.GetRingRequest())


def test_a_message_over_the_limit_names_both_sizes(caller: grpc.Channel, address: str) -> None:
    request = node_pb2.PurgeJobRequest(owner="x" * (64 * 1024 * 1024))
    with pytest.raises(errors.LimitExceeded) as raised, wukong_errors(address):
        node_pb2_grpc.NodeStub(caller).PurgeJob(request)
    assert raised.value.maximum == 64 * 1024 * 1024
    assert raised.value.value == request.ByteSize()


def test_a_server_that_is_gone_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = f"127.0.0.1:{taken.getsockname()[1]}"
    with (
        channel(free, TOKEN) as opened,
        pytest.raises(errors.ClusterUnavailable, match=free) as raised,
        wukong_errors(free),
    ):
        node_pb2_grpc.NodeStub(opened).Stats(node_pb2.StatsRequest())
    assert raised.value.retryable


def test_a_server_that_does_not_answer_in_time_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with (
            channel(address, TOKEN) as opened,
            pytest.raises(errors.ClusterUnavailable, match="in time"),
            wukong_errors(address),
        ):
            node_pb2_grpc.NodeStub(opened).Stats(node_pb2.StatsRequest(), timeout=0.05)


def test_reflection_lists_the_services_without_a_token(address: str) -> None:
    with grpc.insecure_channel(address) as opened:
        stub = reflection_pb2_grpc.ServerReflectionStub(opened)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = stub.ServerReflectionInfo(iter([request]))
    names = {service.name for service in answer.list_services_response.service}
    assert {*SERVICES, "grpc.health.v1.Health"} <= names


def test_reflection_describes_a_method(address: str) -> None:
    with grpc.insecure_channel(address) as opened:
        stub = reflection_pb2_grpc.ServerReflectionStub(opened)
        request = reflection_pb2.ServerReflectionRequest(file_containing_symbol="wukong.rpc.v1.Node")
        (answer,) = stub.ServerReflectionInfo(iter([request]))
    assert answer.file_descriptor_response.file_descriptor_proto


@pytest.mark.parametrize("service", ["", *SERVICES])
def test_health_serves_without_a_token(address: str, service: str) -> None:
    with grpc.insecure_channel(address) as opened:
        stub = health_pb2_grpc.HealthStub(opened)
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def _start(listen: str, token: str = TOKEN) -> None:
    server = await rpc_server.start(listen, add_servicers, token, SERVICES)
    await server.close()


def test_a_port_in_use_is_refused_by_name(address: str) -> None:
    with pytest.raises(errors.ClusterUnavailable, match=rf"cannot listen on {address}: Address already in use"):
        asyncio.run(_start(address))


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:x"])
def test_an_address_that_is_none_is_refused(listen: str) -> None:
    with pytest.raises(errors.ClusterUnavailable, match=rf"cannot listen on {listen}: .*host:port"):
        asyncio.run(_start(listen))


def test_a_closed_server_frees_its_port() -> None:
    async def start_twice() -> None:
        first = await rpc_server.start("127.0.0.1:0", add_servicers, TOKEN, SERVICES)
        await first.close()
        second = await rpc_server.start(first.address, add_servicers, TOKEN, SERVICES)
        await second.close()

    asyncio.run(start_twice())
