"""Jobs from submission to release, over real gRPC and a real metadata store."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.integration.scheduler_server.stage import HASHES, KEY, PASSWORD, PAYLOADS, Stage, calls, diamond, until

from wukong.errors import UnknownJob
from wukong.graph.page import Page
from wukong.kvs.keys import upload_owner
from wukong.kvs.redis import RedisKvs
from wukong.mds.store import Status
from wukong.redis.connection import Connection
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import graph_pb2, job_pb2, scheduler_pb2, value_pb2
from wukong.values.signing import Signer


def test_a_job_from_submission_to_release(stage: Stage) -> None:
    answer = stage.submit(diamond())
    assert answer == scheduler_pb2.SubmitJobResponse(job_id="job-1", state=job_pb2.JOB_STATE_RUNNING)
    assert stage.invoked(1) == [{"job": "job-1", "record": "0", "pages": [0]}]

    begun = stage.mds.begin("job-1", "0", "holder", 30.0, pages=[0, 1])
    assert list(begun.entries) == [0]
    assert list(begun.first_tasks) == [0, 2]
    assert begun.ring == stage.ring
    for i, page in enumerate(begun.pages):
        Signer(KEY).verify(f"page:job-1:{i}", page[:32], page[32:])
    first, second = (Page.decode(page[32:]) for page in begun.pages)
    assert (first.first, first.count, second.first, second.count) == (0, 2, 2, 2)
    assert [bytes(first.payload), bytes(second.payload)] == PAYLOADS
    assert second.deps(3) == [1, 2]
    assert sorted(first.sinks | second.sinks) == [1, 3]

    stage.execute("job-1", {3: b"I42", 1: b"I7"})
    job = stage.job("job-1")
    assert job.state == job_pb2.JOB_STATE_DONE
    assert [(result.task, result.mark) for result in job.results] == [(3, b"I42"), (1, b"I7")]
    assert (job.tasks_total, job.tasks_run, job.report.bytes_read) == (4, 4, 10)
    assert job.ended_at.ToSeconds() >= job.submitted_at.ToSeconds() > 0

    kvs = RedisKvs(stage.ring, password=PASSWORD)
    kvs.put("job-1", "0", "t", [b"some value"], 60.0)
    kvs.put("other", "0", "t", [b"some value"], 60.0)
    kvs.close()
    stage.release("job-1")
    until(lambda: {key for key in stage.stored() if "job-1" in key} == {"w:job-1:m"})
    assert any(key.startswith("w:other:v:") for key in stage.stored())
    assert stage.job("job-1").state == job_pb2.JOB_STATE_GONE
    stage.release("job-1")


def test_repeating_a_submission_changes_nothing(stage: Stage) -> None:
    stage.submit(diamond())
    stage.execute("job-1", {3: b"I42"})
    assert stage.submit(diamond()).state == job_pb2.JOB_STATE_RUNNING
    stage.invoked(1)
    assert [bool(result.mark) for result in stage.job("job-1").results] == []
    assert stage.mds.results("job-1", [3, 1]) == [b"I42", None]
    stage.release("job-1")
    assert stage.submit(diamond()).state == job_pb2.JOB_STATE_GONE


def test_submissions_of_one_job_at_once_make_one_job(stage: Stage) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: stage.submit(diamond()), range(8)))
    assert {answer.state for answer in answers} == {job_pb2.JOB_STATE_RUNNING}
    info = stage.mds.job("job-1")
    assert info is not None
    assert (info.live_records, info.sinks_left) == (1, 2)


def test_pages_can_come_before(stage: Stage) -> None:
    answer = stage.submit(diamond(pages=PAYLOADS[:1]))
    assert answer.missing_pages == HASHES[1:]
    assert answer.state == job_pb2.JOB_STATE_UNSPECIFIED
    with pytest.raises(UnknownJob):
        stage.job("job-1")
    uploaded = stage.stub.UploadPages(iter([graph_pb2.Page(hash=HASHES[1], data=PAYLOADS[1])]))
    assert uploaded.pages == 1
    stage.start()
    assert stage.submit(diamond(pages=PAYLOADS[:1])).state == job_pb2.JOB_STATE_RUNNING


def test_calls_have_json_results(stage: Stage) -> None:
    assert stage.submit(calls()).state == job_pb2.JOB_STATE_RUNNING
    begun = stage.mds.begin("calls-1", "0", "other", 0.0)
    assert begun.json_results
    # In depth-first order: a, b, total.
    stage.execute("calls-1", {2: b'J{"sum": [9, null, "x"]}', 0: b"J3"})
    total, a = stage.job("calls-1").results
    assert (total.target, a.target) == ("total", "a")
    assert dict(total.json.struct_value)["sum"] == [9.0, None, "x"]
    assert a.json.number_value == 3


@pytest.mark.parametrize("job", ["", "job-1:m", "job 1", "j" * 129, "job-1\n"])
def test_what_is_no_job_id_is_an_unknown_job(stage: Stage, job: str) -> None:
    """It never becomes a part of a key, not even of one that is there."""
    with contextlib.closing(Connection(stage.store, password=PASSWORD)) as connection:
        connection.call("HSET", f"w:{job}:m", "state", "running")
    before = stage.stored()
    with pytest.raises(UnknownJob), wukong_errors(stage.address):
        stage.stub.GetJob(job_pb2.JobRef(job_id=job))
    with pytest.raises(UnknownJob), wukong_errors(stage.address):
        list(stage.stub.WatchJob(scheduler_pb2.WatchJobRequest(job_id=job)))
    with pytest.raises(UnknownJob), wukong_errors(stage.address):
        stage.stub.CancelJob(scheduler_pb2.CancelJobRequest(job_id=job))
    with pytest.raises(UnknownJob), wukong_errors(stage.address):
        stage.stub.ReleaseJob(job_pb2.JobRef(job_id=job))
    assert stage.stored() == before


@pytest.mark.parametrize("job", ["a.b-c_D9", "j" * 128])
def test_a_job_has_any_id_of_letters_digits_dots_and_dashes(stage: Stage, job: str) -> None:
    stage.submit(diamond(job))
    stage.execute(job, {3: b"I42", 1: b"I7"})
    stage.release(job)
    assert [key for key in stage.stored() if job in key] == [f"w:{job}:m"]


def test_releasing_a_running_job_stops_it(stage: Stage) -> None:
    stage.submit(diamond())
    stage.release("job-1")
    assert stage.mds.begin("job-1", "0", "holder", 30.0).status is Status.STOP
    until(lambda: {key for key in stage.stored() if "job-1" in key} == {"w:job-1:m"})


def test_uploaded_inputs_are_freed_with_their_last_job(stage: Stage) -> None:
    digest = "ab" * 32
    for name in ("job-1", "job-2"):
        stage.mds.place_input(digest, name, b"M mark", upload_owner(digest, "first"), 100_000.0)
        request = diamond(name)
        request.graph.inputs.add(task=0, ref=value_pb2.ValueRef(hash=digest))
        stage.submit(request)
        (page,) = stage.mds.pages(name, [0])
        assert dict(Page.decode(page[32:]).inputs) == {0: b"M mark"}
    kvs = RedisKvs(stage.ring, password=PASSWORD)
    for token in ("first", "second"):
        kvs.put(upload_owner(digest, token), "0", "t", [b"some value"], 60.0)
    kvs.close()
    first, second = (f"w:in:{digest}:{token}:" for token in ("first", "second"))
    stage.release("job-1")
    assert {f"{first}v:0:t:0", f"{first}k"} <= stage.stored()
    stage.release("job-2")
    # Another upload of the same content is not theirs.
    assert {key for key in stage.stored() if digest in key} == {f"{second}v:0:t:0", f"{second}k"}


def test_jobs_are_listed_the_newest_first(stage: Stage) -> None:
    for name in ("a", "b", "c"):
        stage.submit(diamond(name))
        time.sleep(0.002)  # the store's times have milliseconds
    stage.execute("b", {3: b"I1", 1: b"I2"})
    jobs = stage.stub.ListJobs(scheduler_pb2.ListJobsRequest()).jobs
    assert [(job.job_id, job.state) for job in jobs] == [
        ("c", job_pb2.JOB_STATE_RUNNING),
        ("b", job_pb2.JOB_STATE_DONE),
        ("a", job_pb2.JOB_STATE_RUNNING),
    ]
    assert not any(job.results for job in jobs)
    assert [job.job_id for job in stage.stub.ListJobs(scheduler_pb2.ListJobsRequest(limit=1)).jobs] == ["c"]


def test_a_restarted_scheduler_knows_its_jobs(stage: Stage) -> None:
    stage.submit(calls())
    stage.start()
    stage.execute("calls-1", {2: b"J5", 0: b"J6"})
    assert [result.target for result in stage.job("calls-1").results] == ["total", "a"]
