"""What the scheduler does by itself: invocations again, ends of jobs, and their removal, over real gRPC."""

from __future__ import annotations

import time
from typing import cast

from tests.integration.scheduler_server.stage import PASSWORD, Stage, diamond, until

from wukong.kvs.redis import RedisKvs
from wukong.mds.store import Status
from wukong.redis.connection import Connection
from wukong.rpc.v1 import job_pb2, scheduler_pb2


def test_a_function_that_cannot_be_invoked_ends_the_job(stage: Stage) -> None:
    stage.endpoint.status = 403
    stage.submit(diamond())
    events = list(stage.stub.WatchJob(scheduler_pb2.WatchJobRequest(job_id="job-1")))
    job = events[-1].state.job
    assert job.state == job_pb2.JOB_STATE_FAILED
    assert job.error.type == "ClusterUnavailable"
    assert "no executor could be started" in job.error.message


def test_a_lost_invocation_is_made_again(stage: Stage) -> None:
    stage.start(WUKONG_LEASE_SECONDS="0.1")
    stage.submit(diamond())
    again = {"job": "job-1", "record": "0", "pages": []}
    assert stage.invoked(3)[:3] == [again | {"pages": [0]}, again, again]


def test_a_record_that_kills_its_executors_ends_the_job(stage: Stage) -> None:
    stage.start(WUKONG_LEASE_SECONDS="0.1")
    stage.submit(diamond())
    begun = set()

    def failed() -> bool:
        """Each holder falls silent as soon as it has begun."""
        token = f"holder-{time.monotonic()}"
        if stage.mds.begin("job-1", "0", token, 0.05).status is Status.OK:
            begun.add(token)
        return stage.job("job-1").state == job_pb2.JOB_STATE_FAILED

    until(failed)
    assert len(begun) >= 5
    assert stage.job("job-1").error.type == "ExecutorLost"


def test_a_job_ends_at_its_deadline(stage: Stage) -> None:
    stage.start(WUKONG_LEASE_SECONDS="0.1")
    request = diamond()
    request.options.deadline_seconds = 0.05
    stage.submit(request)
    events = list(stage.stub.WatchJob(scheduler_pb2.WatchJobRequest(job_id="job-1")))
    assert events[-1].state.job.error.type == "DeadlineExceeded"


def test_a_job_that_nobody_releases_is_removed_after_its_time(stage: Stage) -> None:
    stage.start(WUKONG_LEASE_SECONDS="0.1", WUKONG_KEEP_SECONDS="0.2")
    stage.submit(diamond())
    stage.execute("job-1", {3: b"I42", 1: b"I7"})
    assert stage.job("job-1").state == job_pb2.JOB_STATE_DONE
    until(lambda: stage.job("job-1").state == job_pb2.JOB_STATE_GONE)
    until(lambda: {key for key in stage.stored() if "job-1" in key} == {"w:job-1:m"})


def test_a_job_that_is_still_needed_is_kept_after_its_time(stage: Stage) -> None:
    stage.start(WUKONG_LEASE_SECONDS="0.1", WUKONG_KEEP_SECONDS="0.3")
    assert stage.stub.GetCluster(scheduler_pb2.GetClusterRequest()).keep_seconds == 0.3
    for name in ("job-1", "job-2"):
        stage.submit(diamond(name))
        stage.execute(name, {3: b"I42", 1: b"I7"})

    def other_is_gone() -> bool:
        stage.stub.KeepJobs(scheduler_pb2.KeepJobsRequest(job_ids=["job-1", "never-was", "no:id"]))
        return bool(stage.job("job-2").state == job_pb2.JOB_STATE_GONE)

    until(other_is_gone)
    assert stage.job("job-1").state == job_pb2.JOB_STATE_DONE
    until(lambda: stage.job("job-1").state == job_pb2.JOB_STATE_GONE)


def test_values_that_somebody_needs_outlive_the_deadline_of_their_job(stage: Stage) -> None:
    stage.start(WUKONG_LEASE_SECONDS="0.1", WUKONG_KEEP_SECONDS="3000")
    request = diamond()
    request.options.deadline_seconds = 5.0
    stage.submit(request)
    kvs = RedisKvs(stage.ring, password=PASSWORD)
    kvs.put("job-1", "3", "t", [b"large"], 905.0)
    stage.execute("job-1", {3: b"I42", 1: b"I7"})
    keys = ("w:job-1:m", "w:job-1:s", "w:job-1:t", "w:job-1:p:0", "w:job-1:k", "w:job-1:v:3:t:0")
    connection = Connection(stage.store, password=PASSWORD)
    until(lambda: min(cast(int, connection.call("TTL", key)) for key in keys) > 5900)
    connection.close()
    kvs.close()
