"""The whole scheduler on a real metadata store, over real gRPC, with an Invoke API that records."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from wukong.cluster.valkey import ValkeyServer
from wukong.errors import (
    AccessDenied,
    InvalidGraph,
    LimitExceeded,
    UnknownJob,
    VersionMismatch,
    WukongError,
)
from wukong.graph.page import Page
from wukong.kvs.keys import upload_owner
from wukong.kvs.redis import RedisKvs
from wukong.kvs.ring import Node, Ring
from wukong.mds.counters import Counters
from wukong.mds.redis import RedisMds
from wukong.mds.store import LogText, Status, Sync
from wukong.redis.connection import Connection
from wukong.rpc.channel import channel
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import cluster_pb2, graph_pb2, job_pb2, scheduler_pb2, scheduler_pb2_grpc, value_pb2
from wukong.runtime import installed
from wukong.values.signing import Signer
from wukong_executor import handler
from wukong_executor.environment import Environment
from wukong_scheduler.server import serve

PASSWORD = "store-password"
TOKEN = "token"
KEY = bytes(range(32))
HERE = installed()


class Lambda:
    """An Invoke API that keeps what it is asked."""

    def __init__(self) -> None:
        self.payloads: list[dict[str, str]] = []
        self.status = 202
        here = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Else the empty answer waits for the acknowledgement of its head.
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                here.payloads.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(here.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Stage:
    """A scheduler with its surroundings, and a client of it."""

    def __init__(self, store: str, endpoint: Lambda) -> None:
        self.store = store
        self.endpoint = endpoint
        self.mds = RedisMds(store, password=PASSWORD)
        self.ring = Ring(1, (Node("node-1", store),))
        self.mds.put_ring(self.ring)
        self.environ = {
            "WUKONG_MDS_ADDRESS": store,
            "WUKONG_STORE_PASSWORD": PASSWORD,
            "WUKONG_TOKEN": TOKEN,
            "WUKONG_SIGNING_KEY": KEY.hex(),
            "WUKONG_PROXY_ADDRESS": "127.0.0.1:7",
            "WUKONG_LAMBDA_ENDPOINT": endpoint.url,
            "WUKONG_PARALLELISM": "8",
        }
        self._stop: Callable[[], None] | None = None

    def start(self, **environ: str) -> None:
        """Start a scheduler, or start it again."""
        self.stop()
        started: list[str] = []
        ready = threading.Event()
        loop = asyncio.new_event_loop()
        ended = asyncio.Event()

        async def run() -> None:
            try:
                service = await serve({**self.environ, **environ})
                started.append(service.address)
            finally:
                ready.set()
            await ended.wait()
            await service.close()

        def main() -> None:
            with contextlib.closing(loop):
                loop.run_until_complete(run())
                loop.run_until_complete(loop.shutdown_default_executor())

        thread = threading.Thread(target=main)
        thread.start()
        ready.wait()
        (self.address,) = started
        self.channel = channel(self.address, TOKEN)
        self.stub = scheduler_pb2_grpc.SchedulerStub(self.channel)

        def stop() -> None:
            self.channel.close()
            loop.call_soon_threadsafe(ended.set)
            thread.join()

        self._stop = stop

    def stop(self) -> None:
        if self._stop is not None:
            self._stop()
            self._stop = None

    def stored(self) -> set[str]:
        connection = Connection(self.store, password=PASSWORD)
        found = connection.call("KEYS", "w:*")
        connection.close()
        assert isinstance(found, list)
        return {key.decode() for key in found if isinstance(key, bytes)}

    def submit(self, request: scheduler_pb2.SubmitJobRequest) -> scheduler_pb2.SubmitJobResponse:
        with wukong_errors(self.address):
            return self.stub.SubmitJob(request)

    def job(self, name: str) -> job_pb2.Job:
        with wukong_errors(self.address):
            return self.stub.GetJob(job_pb2.JobRef(job_id=name))

    def release(self, name: str) -> None:
        with wukong_errors(self.address):
            self.stub.ReleaseJob(job_pb2.JobRef(job_id=name))

    def invoked(self, count: int) -> list[dict[str, str]]:
        """What was invoked, once there were `count` invocations."""
        until(lambda: len(self.endpoint.payloads) >= count)
        return self.endpoint.payloads

    def execute(self, name: str, results: dict[int, bytes], record: str = "0") -> None:
        """Do what an executor does that has all results at once."""
        begun = self.mds.begin(name, record, "holder", 30.0)
        assert begun.status is Status.OK
        synced = self.mds.sync(
            name,
            record,
            "holder",
            begun.generation,
            30.0,
            Sync(
                results=list(results.items()),
                counters=Counters(tasks_run=4, bytes_read=10),
                logs=[LogText(1, "stdout", "hello\n")],
                end=True,
            ),
        )
        assert synced.ended


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    # The server dies with the thread that started it, so this is no fixture for other threads.
    with ValkeyServer(Path(tmp_path_factory.mktemp("store")), "store", password=PASSWORD) as server:
        yield server.address


@pytest.fixture
def stage(store: str) -> Iterator[Stage]:
    connection = Connection(store, password=PASSWORD)
    connection.call("FLUSHALL")
    connection.close()
    endpoint = Lambda()
    stage = Stage(store, endpoint)
    stage.start()
    yield stage
    stage.stop()
    stage.mds.close_connections()
    endpoint.close()


def words(values: Sequence[int]) -> bytes:
    return np.asarray(values, dtype="<u4").tobytes()


PAYLOADS = [b"Pfirst page", b"Psecond page"]
HASHES = [hashlib.sha256(data).hexdigest() for data in PAYLOADS]


def diamond(name: str = "job-1", pages: Sequence[bytes] = PAYLOADS) -> scheduler_pb2.SubmitJobRequest:
    """0 -> 1, 2 -> 3 on two pages; 3 and 1 are asked for."""
    return scheduler_pb2.SubmitJobRequest(
        job_id=name,
        graph=graph_pb2.Graph(
            page_hashes=HASHES,
            first_tasks=[0, 2],
            dep_offsets=words([0, 0, 1, 2, 4]),
            deps=words([0, 0, 1, 2]),
            targets=words([3, 1]),
            pages=[graph_pb2.Page(hash=hashlib.sha256(data).hexdigest(), data=data) for data in pages],
        ),
        client=cluster_pb2.Runtime(python=HERE.python, packages=HERE.packages),
    )


def calls(name: str = "calls-1") -> scheduler_pb2.SubmitJobRequest:
    request = scheduler_pb2.SubmitJobRequest(job_id=name, targets=["total", "a"])
    tasks: list[tuple[str, str, list[Any]]] = [
        ("total", "builtins:sum", [[{"$task": "a"}, {"$task": "b"}]]),
        ("a", "operator:add", [1, 2]),
        ("b", "math:factorial", [{"$task": "a"}]),
    ]
    for task, function, args in tasks:
        added = request.tasks.add(id=task)
        added.call.function = function
        added.call.args.extend(args)
    return request


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


def test_a_port_in_use_is_said(stage: Stage) -> None:
    with pytest.raises(WukongError, match=stage.address):
        asyncio.run(serve({**stage.environ, "WUKONG_LISTEN": stage.address}))
