"""How often a server may be called: buckets by the test's own clock, and real servers that say when to come again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc.aio
import pytest
from tests.server_thread import served

from wukong import Client
from wukong.errors import AccessDenied, InvalidSetting, LimitExceeded, TooManyCalls
from wukong.rpc import bucket
from wukong.rpc.bucket import Buckets
from wukong.rpc.channel import channel
from wukong.rpc.rates import Rates, address_of
from wukong.rpc.server import Context
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import cluster_pb2, job_pb2, scheduler_pb2, scheduler_pb2_grpc
from wukong_scheduler.config import Config

TOKEN = "the-token"


def test_a_full_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    buckets = Buckets(rate=10.0, burst=5.0)
    assert [buckets.take("a", 100.0) for _ in range(5)] == [0.0] * 5
    assert buckets.take("a", 100.0) == pytest.approx(0.1)
    assert buckets.wait("a", 100.04) == pytest.approx(0.06)
    assert buckets.take("a", 100.125) == 0.0
    assert buckets.take("a", 100.125) == pytest.approx(0.075)
    # It never holds more than the burst.
    assert [buckets.take("a", 1e6) > 0 for _ in range(6)] == [False] * 5 + [True]


def test_one_name_takes_nothing_from_another() -> None:
    buckets = Buckets(rate=1.0, burst=1.0)
    assert buckets.take("a", 0.0) == 0.0
    assert buckets.take("a", 0.0) == 1.0
    assert buckets.take("b", 0.0) == 0.0


def test_waiting_takes_nothing() -> None:
    buckets = Buckets(rate=1.0, burst=1.0)
    assert [buckets.wait("a", 0.0) for _ in range(3)] == [0.0] * 3
    assert len(buckets) == 0


def test_no_more_names_are_remembered_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "REMEMBERED", 3)
    buckets = Buckets(rate=0.001, burst=1.0)
    for name in "abcd":
        assert buckets.take(name, 0.0) == 0.0
    assert len(buckets) == 3
    assert buckets.wait("d", 0.0) > 0
    assert buckets.wait("a", 0.0) == 0.0  # forgotten, as the one that did nothing for longest


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.0.0.7:51034", "10.0.0.7"),
        ("ipv6:%5B::1%5D:51034", "::1"),
        ("ipv6:[2001:db8::7]:1", "2001:db8::7"),
        ("unix:", "unix:"),
    ],
)
def test_the_address_of_a_peer(peer: str, address: str) -> None:
    assert address_of(peer) == address


def test_rates_are_read() -> None:
    assert Rates.parse("") == Rates()
    assert Rates.parse('{"calls": 7, "failed_tokens": 0.5}') == Rates(calls=7, failed_tokens=0.5)
    for text in (
        "[]",
        "{",
        '{"call": 1}',
        '{"calls": 0}',
        '{"calls": "many"}',
        '{"calls": true}',
        '{"calls": Infinity}',
    ):
        with pytest.raises(ValueError, match="rate"):
            Rates.parse(text)
    with pytest.raises(InvalidSetting, match="WUKONG_RATES cannot be used: rates are a JSON object with keys among"):
        Config.read({"WUKONG_TOKEN": "t", "WUKONG_MDS_ADDRESS": "h:1", "WUKONG_RATES": "many"})


class Scheduler(scheduler_pb2_grpc.SchedulerServicer):
    async def GetCluster(self, request: scheduler_pb2.GetClusterRequest, context: Context) -> cluster_pb2.Cluster:
        return cluster_pb2.Cluster(version="of the test")

    async def SubmitJob(
        self, request: scheduler_pb2.SubmitJobRequest, context: Context
    ) -> scheduler_pb2.SubmitJobResponse:
        return scheduler_pb2.SubmitJobResponse(job_id=request.job_id)

    async def ListJobs(
        self, request: scheduler_pb2.ListJobsRequest, context: Context
    ) -> scheduler_pb2.ListJobsResponse:
        return scheduler_pb2.ListJobsResponse(jobs=[job_pb2.Job(job_id="j", state=job_pb2.JOB_STATE_DONE)])


Start = Callable[[Rates], str]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a server; returns its address."""

    def add(server: grpc.aio.Server) -> None:
        scheduler_pb2_grpc.add_SchedulerServicer_to_server(Scheduler(), server)

    with ExitStack() as stack:
        yield lambda rates: stack.enter_context(served(add, TOKEN, ["wukong.rpc.v1.Scheduler"], rates=rates))


def test_submissions_that_come_too_fast_are_refused_and_other_calls_are_not(start: Start) -> None:
    address = start(Rates(submissions=0.1))  # a burst of one
    with channel(address, TOKEN) as opened, wukong_errors(address):
        stub = scheduler_pb2_grpc.SchedulerStub(opened)
        stub.SubmitJob(scheduler_pb2.SubmitJobRequest(job_id="first"))
        with pytest.raises(TooManyCalls) as caught, wukong_errors(address):
            stub.SubmitJob(scheduler_pb2.SubmitJobRequest(job_id="second"))
        stub.GetCluster(scheduler_pb2.GetClusterRequest())
    error = caught.value
    assert isinstance(error, LimitExceeded)
    assert error.retryable
    assert (error.limit, error.maximum, error.address) == ("submissions", 0.1, "127.0.0.1")
    assert 0 < error.seconds <= 10
    assert "submissions is limited to 0.1 a second. Try again in" in str(error)


def test_callers_of_any_language_are_told_when_to_come_again(start: Start) -> None:
    address = start(Rates(calls=0.1))
    with channel(address, TOKEN) as opened:
        stub = scheduler_pb2_grpc.SchedulerStub(opened)
        stub.GetCluster(scheduler_pb2.GetClusterRequest())
        with pytest.raises(grpc.RpcError) as caught:
            stub.GetCluster(scheduler_pb2.GetClusterRequest())
    call: Any = caught.value
    assert call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert 9_000 < int(dict(call.trailing_metadata())["grpc-retry-pushback-ms"]) <= 10_000


def test_a_client_waits_as_long_as_it_is_told(start: Start) -> None:
    client = Client(start(Rates(calls=4.0)), token=TOKEN, timeout=30)  # a burst of 40
    try:
        begun = time.monotonic()
        for _ in range(45):
            assert client.jobs() == [("j", "done")]
        assert 1.0 <= time.monotonic() - begun < 15.0
    finally:
        client.close()


def test_a_client_does_not_wait_beyond_its_timeout(start: Start) -> None:
    client = Client(start(Rates(calls=0.1)), token=TOKEN, timeout=0.5)
    try:
        with pytest.raises(TooManyCalls, match=r"calls is limited to 0\.1 a second"):
            client.jobs()
    finally:
        client.close()


def test_tokens_cannot_be_guessed_at_any_speed(start: Start) -> None:
    """Not even the right one is accepted before the pause is over."""
    address = start(Rates(failed_tokens=0.5))  # a burst of 5
    seen: list[str] = []
    for token in [*(f"guess-{number}" for number in range(7)), TOKEN]:
        with channel(address, token) as opened:
            try:
                with wukong_errors(address):
                    scheduler_pb2_grpc.SchedulerStub(opened).GetCluster(scheduler_pb2.GetClusterRequest())
            except (AccessDenied, TooManyCalls) as error:
                seen.append(type(error).__name__)
            else:
                seen.append("served")
    assert seen == ["AccessDenied"] * 5 + ["TooManyCalls"] * 3
