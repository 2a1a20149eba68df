"""What the scheduler says of itself, and what it refuses, over real gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.scheduler_server.stage import HASHES, HERE, KEY, PASSWORD, PAYLOADS, Stage, diamond, words

from wukong.errors import AccessDenied, InvalidGraph, LimitExceeded, TooManyCalls, VersionMismatch, WukongError
from wukong.rpc.channel import channel
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import graph_pb2, job_pb2, scheduler_pb2, scheduler_pb2_grpc
from wukong_executor import handler
from wukong_executor.environment import Environment
from wukong_scheduler.server import serve


@pytest.mark.parametrize("direct", [True, False])
def test_the_cluster_is_described(stage: Stage, direct: bool) -> None:
    stage.start(WUKONG_DIRECT=str(int(direct)), WUKONG_LIMITS='{"tasks": 77}')
    cluster = stage.stub.GetCluster(scheduler_pb2.GetClusterRequest())
    assert cluster.data_endpoint == "127.0.0.1:7"
    assert (cluster.parallelism, cluster.kvs_nodes, cluster.ring_version) == (8, 1, 1)
    assert cluster.limits.tasks == 77
    assert cluster.runtime.packages["dask"] == HERE.packages["dask"]
    assert cluster.HasField("direct") == direct
    if direct:
        assert cluster.direct.mds_address == stage.store
        assert (cluster.direct.store_password, cluster.direct.signing_key) == (PASSWORD, KEY)
        assert [(node.id, node.address) for node in cluster.direct.ring.nodes] == [("node-1", stage.store)]


def test_what_cannot_run_is_refused_with_the_same_error_at_the_client(stage: Stage) -> None:
    request = diamond()
    request.graph.deps = words([3, 0, 1, 2])
    with pytest.raises(InvalidGraph, match="cycle"):
        stage.submit(request)
    request = diamond()
    request.client.packages["dask"] = "0.1"
    with pytest.raises(VersionMismatch, match=r"dask 0\.1"):
        stage.submit(request)
    stage.start(WUKONG_LIMITS='{"tasks": 3}')
    with pytest.raises(LimitExceeded, match="tasks is 4, above the limit of 3"):
        stage.submit(diamond())
    assert not [key for key in stage.stored() if "ring" not in key]


def test_clients_are_compared_with_the_executors_manifest(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "manifest.json"
    file.write_text(replace(HERE, image_digest="sha256:ab").to_json())
    stage.start(WUKONG_EXECUTOR_RUNTIME=f"@{file}")
    runtime = stage.stub.GetCluster(scheduler_pb2.GetClusterRequest()).runtime
    assert (runtime.python, dict(runtime.packages)) == (HERE.python, HERE.packages)
    assert runtime.image_digest == "sha256:ab"
    stage.submit(diamond())
    file.write_text(replace(HERE, packages={**HERE.packages, "dask": "0.1"}).to_json())
    stage.start(WUKONG_EXECUTOR_RUNTIME=f"@{file}")
    with pytest.raises(VersionMismatch, match=f"client has dask {HERE.packages['dask']} .* executors have dask 0.1"):
        stage.submit(diamond("job-2"))


def test_executors_that_are_not_those_of_the_manifest_refuse_its_jobs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image was deployed anew, and nobody told the scheduler."""
    told = replace(HERE, packages={**HERE.packages, "dask": "0.1"})
    stage.start(WUKONG_EXECUTOR_RUNTIME=told.to_json())
    request = diamond()
    request.client.packages["dask"] = "0.1"
    stage.submit(request)
    environment = Environment(stage.environ)
    monkeypatch.setattr(handler, "_environment", lambda: environment)
    assert handler.handler({"job": "job-1", "record": "0"}, None) == {"status": "refused"}
    environment.mds.close_connections()
    job = stage.job("job-1")
    assert (job.state, job.error.type) == (job_pb2.JOB_STATE_FAILED, "VersionMismatch")
    assert f"the executors have dask {HERE.packages['dask']}, but the job was accepted for executors with dask 0.1" in (
        job.error.message
    )


def test_calls_without_a_token_are_refused(stage: Stage) -> None:
    with channel(stage.address, "wrong") as other, pytest.raises(AccessDenied), wukong_errors(stage.address):
        scheduler_pb2_grpc.SchedulerStub(other).GetCluster(scheduler_pb2.GetClusterRequest())


def test_a_port_in_use_is_said(stage: Stage) -> None:
    with pytest.raises(WukongError, match=stage.address):
        asyncio.run(serve({**stage.environ, "WUKONG_LISTEN": stage.address}))


def test_what_one_call_may_ask_for_is_limited(stage: Stage) -> None:
    stage.start(WUKONG_LIMITS='{"payload_bytes": 20}')
    pages = [graph_pb2.Page(hash=name, data=data) for name, data in zip(HASHES, PAYLOADS, strict=True)]
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: stage.stub.ListJobs(scheduler_pb2.ListJobsRequest(limit=10_001)), "jobs of one ListJobs is 10,001"),
        (
            lambda: stage.stub.KeepJobs(scheduler_pb2.KeepJobsRequest(job_ids=["j"] * 100_001)),
            "jobs of one KeepJobs is 100,001",
        ),
        (
            lambda: stage.stub.UploadPages(iter(pages)),
            "payload_bytes is 23, above the limit of 20",
        ),
    ]
    for call, message in calls:
        with pytest.raises(LimitExceeded, match=message), wukong_errors(stage.address):
            call()


def test_submissions_are_limited_by_the_setting(stage: Stage) -> None:
    stage.start(WUKONG_RATES='{"submissions": 0.1}')
    assert stage.submit(diamond()).job_id == "job-1"
    with pytest.raises(TooManyCalls, match=r"submissions is limited to 0\.1 a second"):
        stage.submit(diamond())
    assert stage.job("job-1").state == job_pb2.JOB_STATE_RUNNING
