"""What is refused, and in which words."""

from __future__ import annotations

import secrets
import socket

import dask
import docker
import grpc
import pytest
from tests.e2e.cluster import Cluster, image

from wukong import Client
from wukong.client import submission
from wukong.errors import AccessDenied, VersionMismatch
from wukong.rpc.v1 import cluster_pb2, scheduler_pb2, scheduler_pb2_grpc

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def refused(cluster: Cluster) -> str:
    """What `docker compose up` says of a cluster that cannot start; nothing is left of it."""
    try:
        ran = cluster.run("up", "--detach", "--wait")
        assert ran.returncode != 0
        return ran.stderr
    finally:
        cluster.down()
        assert cluster.left() == []


def test_a_wrong_token(cluster: Cluster) -> None:
    with pytest.raises(AccessDenied, match="the token is wrong"):
        Client(cluster.address, token="wrong")


def test_no_token(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WUKONG_TOKEN", raising=False)
    with pytest.raises(ValueError, match=r"no token for 127\.0\.0\.1:\d+: pass token=\.\.\., or set WUKONG_TOKEN"):
        Client(cluster.address)
    with grpc.insecure_channel(cluster.address) as channel, pytest.raises(grpc.RpcError) as error:
        scheduler_pb2_grpc.SchedulerStub(channel).GetCluster(scheduler_pb2.GetClusterRequest(), timeout=30)
    assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_a_client_of_another_python(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    here = cluster_pb2.Runtime(python="3.12.4", packages={"dask": dask.__version__})
    monkeypatch.setattr(submission, "_runtime", lambda _: here)
    with pytest.raises(VersionMismatch, match=r"Python 3\.12\.4 and the executors run Python 3\.11\..*executor image"):
        client.get({"a": (abs, -1)}, "a")


def test_a_port_in_use(engine: docker.DockerClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(Cluster(engine, WUKONG_PORT=str(port)))
    assert f"127.0.0.1:{port}" in said
    assert "already" in said


def test_an_executors_image_that_is_not_there(engine: docker.DockerClient) -> None:
    name = f"wukong-e2e-nobody-{secrets.token_hex(4)}"
    said = refused(Cluster(engine, WUKONG_EXECUTOR_IMAGE=name))
    assert name in said


def test_no_socket_of_an_engine(engine: docker.DockerClient) -> None:
    said = refused(Cluster(engine, WUKONG_DOCKER_SOCKET="/nowhere/docker.sock"))
    assert "/nowhere/docker.sock" in said


def test_an_emulator_without_the_socket_says_what_to_mount(engine: docker.DockerClient) -> None:
    settings = {
        "WUKONG_FUNCTIONS": '{"f": {"handler": "m.h", "image": "i"}}',
        "WUKONG_DOCKER_NETWORK": "n",
        "WUKONG_DOCKER_PROJECT": "p",
        "WUKONG_RUNTIME_API_HOST": "h",
    }
    container = engine.containers.run(image("lambda-emulator"), environment=settings, detach=True)
    try:
        assert container.wait(timeout=60)["StatusCode"] == 1
        said = container.logs().decode()
    finally:
        container.remove(force=True)
    assert "needs the socket of a Docker engine" in said
    assert "mount" in said
    assert "Traceback" not in said


def test_too_little_memory_for_any_task(engine: docker.DockerClient) -> None:
    small = Cluster(engine, WUKONG_MEMORY_MB="64")
    try:
        ran = small.run("up", "--detach", "--wait")
        assert ran.returncode != 0
        assert f"{small.project}-lambda-emulator-1" in ran.stderr
        assert "memory_mb of function 'wukong-executor' is 64, and must be 128 or more" in small.logs()
    finally:
        small.down()
        assert small.left() == []
