from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.waiting import until

from wukong.invocation.spreading import Spreading
from wukong.mds.failure import Failure
from wukong_scheduler.invocations import Invocations, pause_lengths


class Endpoint:
    """A Lambda Invoke API that records what it is asked and answers as it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, str]]] = []
        #: For calls of any function, and for those of one.
        self.answers: list[tuple[int, str]] = []
        self.answers_of: dict[str, list[tuple[int, str]]] = {}
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.calls.append((self.path, self.headers["X-Amz-Invocation-Type"], body))
                answers = endpoint.answers_of.get(self.path.split("/")[-2], endpoint.answers)
                status, error = answers.pop(0) if answers else (202, "")
                self.send_response(status)
                if error:
                    self.send_header("x-amzn-ErrorType", error)
                data = json.dumps({"Message": "because"}).encode() if error else b""
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


DIRECT = Spreading("", 0, 0)


class Refusals(list[tuple[str, Failure]]):
    def add(self, job: str, failure: Failure) -> None:
        self.append((job, failure))


@pytest.fixture
def refusals() -> Refusals:
    return Refusals()


@pytest.fixture
def invocations(endpoint: Endpoint, refusals: Refusals) -> Iterator[Invocations]:
    invocations = Invocations(endpoint.url, "the-function", DIRECT, refusals.add)
    yield invocations
    invocations.close()


def test_each_record_gets_one_asynchronous_invocation(invocations: Invocations, endpoint: Endpoint) -> None:
    invocations.start("job-1", {str(i): [i] for i in range(40)})
    until(lambda: len(endpoint.calls) >= 40)
    assert {(path, kind) for path, kind, _ in endpoint.calls} == {
        ("/2015-03-31/functions/the-function/invocations", "Event")
    }
    assert {body["job"] for _, _, body in endpoint.calls} == {"job-1"}
    assert sorted(int(body["record"]) for _, _, body in endpoint.calls) == list(range(40))
    assert all(body["pages"] == [int(body["record"])] for _, _, body in endpoint.calls)


@pytest.fixture
def spread(endpoint: Endpoint, refusals: Refusals) -> Iterator[Invocations]:
    invocations = Invocations(endpoint.url, "the-function", Spreading("the-invoker", 3, 10), refusals.add)
    yield invocations
    invocations.close()


def test_many_records_are_shared_among_the_invokers(spread: Invocations, endpoint: Endpoint) -> None:
    spread.start("job-1", {str(i): [i] for i in range(40)})
    until(lambda: len(endpoint.calls) >= 3)
    assert {(path, kind) for path, kind, _ in endpoint.calls} == {
        ("/2015-03-31/functions/the-invoker/invocations", "Event")
    }
    shares = [body["records"] for _, _, body in endpoint.calls]
    assert sorted(map(len, shares)) == [13, 13, 14]
    assert sorted(record for share in shares for record in share) == sorted([str(i), [i]] for i in range(40))


def test_few_records_and_swept_ones_are_invoked_directly(spread: Invocations, endpoint: Endpoint) -> None:
    spread.start("job-1", {str(i): [] for i in range(10)})
    spread.start_directly("job-1", {str(i): [] for i in range(10, 40)})
    until(lambda: len(endpoint.calls) >= 40)
    assert {path for path, _, _ in endpoint.calls} == {"/2015-03-31/functions/the-function/invocations"}
    assert sorted(int(body["record"]) for _, _, body in endpoint.calls) == list(range(40))


def test_the_share_of_an_invoker_that_is_refused_is_invoked_directly(
    spread: Invocations, endpoint: Endpoint, refusals: Refusals
) -> None:
    endpoint.answers_of["the-invoker"] = [(429, "TooManyRequestsException")] + [(404, "ResourceNotFoundException")] * 2
    spread.start("job-1", {str(i): [] for i in range(40)})
    until(lambda: len(endpoint.calls) >= 43)
    direct = [body["record"] for path, _, body in endpoint.calls if "the-function" in path]
    assert sorted(map(int, direct)) == list(range(40))
    assert refusals == []


def test_a_throttled_invocation_is_asked_for_again(
    invocations: Invocations, endpoint: Endpoint, refusals: Refusals
) -> None:
    endpoint.answers = [(429, "TooManyRequestsException"), (500, "ServiceException")]
    invocations.start("job-1", {"0": []})
    until(lambda: len(endpoint.calls) == 3)
    assert refusals == []


def test_a_function_that_is_not_there_ends_the_job_with_the_cause(
    invocations: Invocations, endpoint: Endpoint, refusals: Refusals
) -> None:
    endpoint.answers = [(404, "ResourceNotFoundException")]
    invocations.start("job-1", {"0": []})
    until(lambda: bool(refusals))
    job, failure = refusals[0]
    assert job == "job-1"
    assert failure.error == "ClusterUnavailable"
    assert "'the-function'" in failure.message
    assert "ResourceNotFoundException" in failure.message
    assert len(endpoint.calls) == 1


def test_throttling_without_end_leaves_the_record_to_the_sweeper(
    invocations: Invocations, endpoint: Endpoint, refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wukong_scheduler.invocations.FIRST_PAUSE", 0.001)
    endpoint.answers = [(429, "TooManyRequestsException")] * 20
    invocations.start("job-1", {"0": []})
    until(lambda: len(endpoint.calls) == 8)
    invocations.close()
    assert len(endpoint.calls) == 8
    assert refusals == []


def test_an_endpoint_that_is_not_there_ends_the_job(
    endpoint: Endpoint, refusals: Refusals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wukong_scheduler.invocations.FIRST_PAUSE", 0.001)
    endpoint.server.server_close()
    invocations = Invocations(endpoint.url, "the-function", DIRECT, refusals.add)
    invocations.start("job-1", {"0": []})
    until(lambda: bool(refusals))
    invocations.close()
    assert "ConnectionRefusedError" in refusals[0][1].message


def test_close_does_not_wait_for_a_pause(
    invocations: Invocations, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wukong_scheduler.invocations.FIRST_PAUSE", 1000.0)
    endpoint.answers = [(429, "TooManyRequestsException")]
    invocations.start("job-1", {"0": []})
    until(lambda: len(endpoint.calls) == 1)
    began = time.monotonic()
    invocations.close()
    assert time.monotonic() - began < 10


def test_pauses_grow() -> None:
    pauses = list(pause_lengths())
    assert len(pauses) == 7
    assert all(0.05 * 2**i * 0.5 <= pause <= 0.05 * 2**i for i, pause in enumerate(pauses))
