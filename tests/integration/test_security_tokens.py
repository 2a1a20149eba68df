"""Every method of every service in the protos wants the token, on servers as a cluster starts them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc

import wukong
import wukong.rpc.v1
from wukong.rpc.channel import channel
from wukong.rpc.v1 import ring_pb2, ring_pb2_grpc

#: Service -> the part that serves it.
SERVED_BY = {"Scheduler": "scheduler", "Data": "proxy", "Ring": "proxy", "Fleet": "proxy", "Node": "node"}


def methods() -> Iterator[MethodDescriptor]:
    for module in pkgutil.iter_modules(wukong.rpc.v1.__path__, "wukong.rpc.v1."):
        if module.name.endswith("_pb2"):
            for service in importlib.import_module(module.name).DESCRIPTOR.services_by_name.values():
                yield from service.methods


METHODS = list(methods())


@pytest.fixture(scope="module")
def servers(cluster: wukong.LocalCluster) -> dict[str, str]:
    """The parts' addresses."""
    with wukong.Client(cluster) as client:
        proxy = client._connection.data_address
    with channel(proxy, cluster.token) as opened:
        (node,) = ring_pb2_grpc.RingStub(opened).GetRing(ring_pb2.GetRingRequest()).nodes
    return {"scheduler": cluster.address, "proxy": proxy, "node": node.agent_address}


def call(address: str, method: MethodDescriptor, *metadata: tuple[str, str]) -> tuple[grpc.StatusCode, str]:
    """The status of a call with an empty request, and its details."""
    name = f"/{method.containing_service.full_name}/{method.name}"
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as opened:
        kinds: Mapping[tuple[bool, bool], Any] = {
            (False, False): opened.unary_unary,
            (False, True): opened.unary_stream,
            (True, False): opened.stream_unary,
            (True, True): opened.stream_stream,
        }
        request: Any = iter([b""]) if method.client_streaming else b""
        try:
            answer = kinds[method.client_streaming, method.server_streaming](name)(
                request, metadata=metadata, timeout=30
            )
            if method.server_streaming:
                list(answer)
        except grpc.RpcError as error:
            failed: Any = error
            return failed.code(), failed.details()
        return grpc.StatusCode.OK, ""


def test_the_protos_have_the_services_that_are_called_here() -> None:
    assert {method.containing_service.name for method in METHODS} == set(SERVED_BY)
    assert len(METHODS) >= 17


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name.removeprefix("wukong.rpc.v1."))
def test_a_call_without_the_token_is_refused(
    cluster: wukong.LocalCluster, servers: Mapping[str, str], method: MethodDescriptor
) -> None:
    address, token = servers[SERVED_BY[method.containing_service.name]], cluster.token
    other = token[:-1] + ("0" if token[-1] != "0" else "1")
    code, details = call(address, method)
    assert (code, "has no token" in details) == (grpc.StatusCode.UNAUTHENTICATED, True)
    for wrong in (
        f"Bearer {other}",
        f"Bearer {token}0",
        f"Bearer {token[:-1]}",
        "Bearer ",
        "",
        token,
        f"Basic {token}",
    ):
        code, details = call(address, method, ("authorization", wrong))
        assert (code, "is wrong" in details) == (grpc.StatusCode.UNAUTHENTICATED, True), wrong
    # The same call with the token gets past the door, so it was the token that it lacked.
    code, _ = call(address, method, ("authorization", f"Bearer {token}"))
    assert code not in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNIMPLEMENTED)


@pytest.mark.parametrize("part", sorted(set(SERVED_BY.values())))
def test_health_is_the_exception(servers: Mapping[str, str], part: str) -> None:
    with grpc.insecure_channel(servers[part]) as opened:
        answer = health_pb2_grpc.HealthStub(opened).Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
