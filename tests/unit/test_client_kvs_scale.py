"""A client asks for KVS nodes before it uploads anything, where they are started for it, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import grpc.aio
import numpy as np
import pytest
from tests.server_thread import served

from wukong import Client, InvalidGraph
from wukong.client.connection import Connection
from wukong.client.kvs_scale import scale
from wukong.errors import LimitExceeded
from wukong.rpc.server import Context
from wukong.rpc.v1 import cluster_pb2, scheduler_pb2, scheduler_pb2_grpc

TOKEN = "the-token"


class Scheduler(scheduler_pb2_grpc.SchedulerServicer):
    """Notes what it is asked, and takes no job."""

    def __init__(self) -> None:
        self.most = 4
        self.asked: list[str] = []

    async def GetCluster(self, request: scheduler_pb2.GetClusterRequest, context: Context) -> cluster_pb2.Cluster:
        limits = cluster_pb2.Limits(inline_pages_bytes=1 << 20)
        # The proxy is nobody: an upload would be told of.
        return cluster_pb2.Cluster(kvs_most=self.most, limits=limits, data_endpoint="127.0.0.1:1")

    async def ScaleKvs(
        self, request: scheduler_pb2.ScaleKvsRequest, context: Context
    ) -> AsyncIterator[scheduler_pb2.KvsScale]:
        self.asked.append(f"scale {request.nodes} {request.at_least}")
        if request.nodes > self.most:
            raise LimitExceeded("kvs_nodes", request.nodes, self.most)
        for registered in range(request.nodes + 1):
            yield scheduler_pb2.KvsScale(wanted=request.nodes, running=registered, registered=registered)

    async def SubmitJob(
        self, request: scheduler_pb2.SubmitJobRequest, context: Context
    ) -> scheduler_pb2.SubmitJobResponse:
        self.asked.append(f"submit {request.options.kvs_nodes}")
        raise InvalidGraph("no job is taken here")


@pytest.fixture
def scheduler() -> Scheduler:
    return Scheduler()


@pytest.fixture
def address(scheduler: Scheduler) -> Iterator[str]:
    def add(server: grpc.aio.Server) -> None:
        scheduler_pb2_grpc.add_SchedulerServicer_to_server(scheduler, server)

    with served(add, TOKEN, ["wukong.rpc.v1.Scheduler"]) as found:
        yield found


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    made = Client(address, token=TOKEN, timeout=1)
    yield made
    made.close()


def test_nodes_that_a_job_asks_for_come_before_it(client: Client, scheduler: Scheduler) -> None:
    with pytest.raises(InvalidGraph, match="no job is taken"):
        client.get({"a": (abs, -1)}, "a", kvs_nodes=3)
    assert scheduler.asked == ["scale 3 True", "submit 3"]
    with pytest.raises(LimitExceeded, match="kvs_nodes is 5"):
        client.get({"a": (abs, -1)}, "a", kvs_nodes=5)
    assert scheduler.asked[2:] == ["scale 5 True"]


def test_what_is_uploaded_needs_nodes_too(client: Client, scheduler: Scheduler) -> None:
    with pytest.raises(Exception, match=r"127\.0\.0\.1:1"):
        client.get({"x": np.arange(1_000_000), "a": (len, "x")}, "a")
    assert scheduler.asked == ["scale 0 True"]


def test_a_job_without_either_is_only_submitted(client: Client, scheduler: Scheduler) -> None:
    with pytest.raises(InvalidGraph, match="no job is taken"):
        client.get({"a": (abs, -1)}, "a")
    assert scheduler.asked == ["submit 0"]


def test_where_nobody_starts_nodes_the_scheduler_alone_is_asked(address: str, scheduler: Scheduler) -> None:
    scheduler.most = 0
    client = Client(address, token=TOKEN, timeout=1)
    with pytest.raises(InvalidGraph, match="no job is taken"):
        client.get({"a": (abs, -1)}, "a", kvs_nodes=3)
    client.close()
    assert scheduler.asked == ["submit 3"]


def test_who_scales_hears_how_far_it_is(address: str, scheduler: Scheduler) -> None:
    told: list[int] = []
    connection = Connection(address, TOKEN, 1.0)
    scale(connection, 2, at_least=False, told=lambda standing: told.append(standing.registered))
    connection.close()
    assert told == [0, 1, 2]
    assert scheduler.asked == ["scale 2 False"]
