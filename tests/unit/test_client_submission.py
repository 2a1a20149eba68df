import hashlib
from collections.abc import Iterable, Iterator
from operator import add
from typing import Any, cast

import numpy as np
import pytest

from wukong.client.connection import Connection
from wukong.client.submission import Submission
from wukong.errors import ClusterUnavailable
from wukong.graph.convert import convert
from wukong.graph.payload import Payload
from wukong.rpc.v1 import cluster_pb2, graph_pb2, job_pb2, scheduler_pb2

DAG = convert({"a": (add, 1, 2), "b": (add, "a", 1), "c": (add, "a", "b")}, ["c", "b"])
PAYLOADS = [Payload(0, 2, b"Pfirst"), Payload(2, 1, b"Psecond")]


class Scheduler:
    """Remembers what it is sent; forgets pages as often as it is told to."""

    def __init__(self, inline: int, forgets: int = 0, warnings: Iterable[str] = ()) -> None:
        self.cluster = cluster_pb2.Cluster(
            limits=cluster_pb2.Limits(inline_pages_bytes=inline),
            runtime=cluster_pb2.Runtime(packages={"numpy": "1", "no-such-package": "2"}),
        )
        self.address = "somewhere:1"
        self.scheduler = self
        self.pages: dict[str, bytes] = {}
        self.requests: list[scheduler_pb2.SubmitJobRequest] = []
        self.uploads: list[list[str]] = []
        self._forgets = forgets
        self._warnings = list(warnings)

    def call(self, method: Any, request: Any, seconds: float) -> Any:
        return method(request() if callable(request) else request)

    def SubmitJob(self, request: scheduler_pb2.SubmitJobRequest) -> scheduler_pb2.SubmitJobResponse:
        self.requests.append(request)
        known = {**self.pages, **{page.hash: page.data for page in request.graph.pages}}
        missing = [name for name in request.graph.page_hashes if name not in known]
        if missing:
            return scheduler_pb2.SubmitJobResponse(missing_pages=missing)
        return scheduler_pb2.SubmitJobResponse(state=job_pb2.JOB_STATE_RUNNING, warnings=self._warnings)

    def UploadPages(self, pages: Iterator[graph_pb2.Page]) -> None:
        arrived = {page.hash: page.data for page in pages}
        self.uploads.append(list(arrived))
        if self._forgets:
            self._forgets -= 1
        else:
            self.pages.update(arrived)


def send(scheduler: Scheduler) -> None:
    submission(scheduler).send()


def submission(scheduler: Scheduler) -> Submission:
    return Submission(cast("Connection", scheduler), "job", DAG, PAYLOADS, [], job_pb2.JobOptions(max_parallelism=3))


def test_small_pages_travel_with_the_request() -> None:
    scheduler = Scheduler(inline=1000)
    send(scheduler)
    (request,) = scheduler.requests
    graph = request.graph
    assert [page.data for page in graph.pages] == [b"Pfirst", b"Psecond"]
    assert list(graph.page_hashes) == [hashlib.sha256(data).hexdigest() for data in (b"Pfirst", b"Psecond")]
    assert list(graph.first_tasks) == [0, 2]
    assert request.options.max_parallelism == 3
    assert not request.options.HasField("deadline_seconds")
    assert scheduler.uploads == []


def test_the_shape_travels_as_little_endian_words() -> None:
    scheduler = Scheduler(inline=1000)
    send(scheduler)
    graph = scheduler.requests[0].graph
    assert np.frombuffer(graph.dep_offsets, "<u4").tolist() == DAG.dep_offsets.tolist()
    assert np.frombuffer(graph.deps, "<u4").tolist() == DAG.deps.tolist()
    assert np.frombuffer(graph.targets, "<u4").tolist() == [DAG.index["c"], DAG.index["b"]]


def test_large_pages_are_sent_once_and_only_where_they_are_missing() -> None:
    scheduler = Scheduler(inline=5)
    second = hashlib.sha256(b"Psecond").hexdigest()
    scheduler.pages[second] = b"Psecond"
    send(scheduler)
    assert [list(request.graph.pages) for request in scheduler.requests] == [[], []]
    assert scheduler.uploads == [[hashlib.sha256(b"Pfirst").hexdigest()]]
    send(scheduler)
    assert len(scheduler.uploads) == 1


def test_pages_that_are_forgotten_are_sent_again_but_not_for_ever() -> None:
    scheduler = Scheduler(inline=5, forgets=1)
    send(scheduler)
    assert len(scheduler.uploads) == 2
    with pytest.raises(ClusterUnavailable, match="lost the graph's pages"):
        send(Scheduler(inline=5, forgets=100))


def test_the_client_states_its_python_and_the_versions_that_matter() -> None:
    scheduler = Scheduler(inline=1000)
    send(scheduler)
    stated = scheduler.requests[0].client
    assert dict(stated.packages) == {"numpy": np.__version__}
    assert stated.python.startswith("3.")


def test_the_schedulers_warnings_reach_the_user() -> None:
    with pytest.warns(RuntimeWarning, match="numpy is 1 at the client"):
        send(Scheduler(inline=1000, warnings=["numpy is 1 at the client and 2 at the executors"]))


@pytest.mark.parametrize("inline", [5, 1000])
def test_a_job_can_be_sent_again_with_all_that_belongs_to_it(inline: int) -> None:
    scheduler = Scheduler(inline)
    job = submission(scheduler)
    job.send()
    first, *_ = scheduler.requests
    scheduler.pages.clear()
    job.send()
    assert scheduler.requests[-1] == first
    assert first.job_id == "job"
    assert len(scheduler.uploads) == (2 if inline == 5 else 0)
