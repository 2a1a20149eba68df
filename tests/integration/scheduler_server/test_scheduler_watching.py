"""What watchers of a job are told, over real gRPC."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.integration.scheduler_server.stage import PASSWORD, Stage, diamond

from wukong.errors import UnknownJob
from wukong.mds.store import Status
from wukong.redis.connection import Connection
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import job_pb2, scheduler_pb2


def test_watching_tells_everything_and_ends(stage: Stage) -> None:
    stage.submit(diamond())
    with ThreadPoolExecutor(1) as pool:
        stream = stage.stub.WatchJob(scheduler_pb2.WatchJobRequest(job_id="job-1"))
        first = next(stream)
        assert first.state.state == job_pb2.JOB_STATE_RUNNING
        rest = pool.submit(list, stream)
        stage.execute("job-1", {3: b"I42", 1: b"I7"})
        events = [event for event in rest.result(30) if event.WhichOneof("event") != "progress"]
    log, done = events
    assert (log.log.task, log.log.text) == (1, "hello\n")
    assert done.state.state == job_pb2.JOB_STATE_DONE
    assert [result.mark for result in done.state.job.results] == [b"I42", b"I7"]
    assert abs(done.time.ToSeconds() - time.time()) < 60

    again = list(stage.stub.WatchJob(scheduler_pb2.WatchJobRequest(job_id="job-1", after_sequence=first.sequence)))
    assert [event.sequence for event in again if event.sequence] == [log.sequence, done.sequence]
    (present,) = stage.stub.WatchJob(scheduler_pb2.WatchJobRequest(job_id="job-1", after_sequence=done.sequence))
    assert present.state.state == job_pb2.JOB_STATE_DONE


def test_a_job_whose_opening_was_forgotten_is_told_as_loading_and_opens_when_it_is_submitted_again(
    stage: Stage,
) -> None:
    stage.submit(diamond())
    with contextlib.closing(Connection(stage.store, password=PASSWORD)) as connection:
        connection.call("HSET", "w:job-1:m", "state", "loading")
        connection.call("DEL", "w:job-1:e", "w:job-1:look", "w:job-1:r:0")
    stream = stage.stub.WatchJob(scheduler_pb2.WatchJobRequest(job_id="job-1"))
    half = next(stream)
    assert half.state.state == job_pb2.JOB_STATE_LOADING
    assert not half.sequence
    assert stage.submit(diamond()).state == job_pb2.JOB_STATE_RUNNING
    assert next(event for event in stream if event.sequence).state.state == job_pb2.JOB_STATE_RUNNING
    stage.execute("job-1", {3: b"I42", 1: b"I7"})
    assert [event.state.state for event in stream if event.sequence][-1] == job_pb2.JOB_STATE_DONE


def test_watching_an_unknown_job_is_an_error(stage: Stage) -> None:
    with pytest.raises(UnknownJob), wukong_errors(stage.address):
        list(stage.stub.WatchJob(scheduler_pb2.WatchJobRequest(job_id="nobody")))


def test_a_watcher_hears_of_a_cancelled_job(stage: Stage) -> None:
    stage.submit(diamond())
    stream = stage.stub.WatchJob(scheduler_pb2.WatchJobRequest(job_id="job-1"))
    next(stream)
    job = stage.stub.CancelJob(scheduler_pb2.CancelJobRequest(job_id="job-1", reason="enough"))
    assert job.state == job_pb2.JOB_STATE_CANCELLED
    assert (job.error.type, job.error.message) == ("JobCancelled", "the job was cancelled: enough")
    last = list(stream)[-1]
    assert last.state.state == job_pb2.JOB_STATE_CANCELLED
    assert last.state.job.error.message == "the job was cancelled: enough"
    assert stage.mds.begin("job-1", "0", "holder", 30.0).status is Status.STOP
