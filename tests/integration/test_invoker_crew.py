"""The invoker's processes against an Invoke API that records what it is asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

#: The crew forks, so it runs in a process without threads, as it does in its function; this one has many.
PROGRAM = """
import json, sys
from wukong.invocation.api import InvokeApi
from wukong_invoker.crew import Crew
crew = Crew(InvokeApi(sys.argv[1], "the-function"), 2)
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(crew.start(*asked) if asked else crew.pids()), flush=True)
crew.close()
"""


class OtherProcess:
    """A `Crew` in a process of its own."""

    def __init__(self, url: str) -> None:
        command = [sys.executable, "-c", PROGRAM, url]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _ask(self, *question: object) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def pids(self) -> list[int]:
        return list(self._ask())

    def start(self, job: str, records: dict[str, list[int]], until: float, trace: str) -> int:
        return int(self._ask(job, records, until, trace))

    def close(self) -> None:
        self.process.communicate()


class Server(ThreadingHTTPServer):
    request_queue_size = 128


class Endpoint:
    """Answers as it is told, 202 by default; `hold` keeps every request waiting."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict[str, object]]] = []
        self.answers: list[tuple[int, str]] = []
        self.go = threading.Event()
        self.go.set()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.events.append((self.path, self.headers.get("X-Amzn-Trace-Id", ""), body))
                status, error = endpoint.answers.pop() if endpoint.answers else (202, "")
                endpoint.go.wait(30)
                self.send_response(status)
                if error:
                    self.send_header("x-amzn-ErrorType", error)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def records(self) -> list[object]:
        return sorted(body["record"] for _, _, body in self.events)  # type: ignore[type-var]

    def close(self) -> None:
        self.go.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


@pytest.fixture
def crew(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[OtherProcess]:
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(name, value)
    crew = OtherProcess(endpoint.url)
    yield crew
    crew.close()


def start(crew: OtherProcess, count: int, seconds: float = 20.0) -> int:
    return crew.start("job-1", {f"{i:03}": [i] for i in range(count)}, time.monotonic() + seconds, "Root=1-2;Lineage=x")


def test_each_record_is_invoked_once_by_processes_that_stay(crew: OtherProcess, endpoint: Endpoint) -> None:
    pids = crew.pids()
    assert start(crew, 100) == 0
    assert start(crew, 1) == 0
    assert endpoint.records() == sorted([f"{i:03}" for i in range(100)] + ["000"])
    assert {(path, trace) for path, trace, _ in endpoint.events} == {
        ("/2015-03-31/functions/the-function/invocations", "Root=1-2;Lineage=x")
    }
    assert all(body == {"job": "job-1", "record": f"{i:03}", "pages": [i]} for i, (_, _, body) in _by_number(endpoint))
    assert crew.pids() == pids


def _by_number(endpoint: Endpoint) -> list[tuple[int, tuple[str, str, dict[str, object]]]]:
    return [(int(str(event[2]["record"])), event) for event in endpoint.events]


def test_a_busy_endpoint_is_asked_again_and_a_refusal_for_good_is_left(crew: OtherProcess, endpoint: Endpoint) -> None:
    endpoint.answers = [(429, "TooManyRequestsException"), (500, "ServiceException")]
    assert start(crew, 4) == 0
    assert len(endpoint.events) == 6
    endpoint.answers = [(404, "ResourceNotFoundException")] * 4
    assert start(crew, 4) == 4
    assert len(endpoint.events) == 10


def test_it_ends_in_time_and_works_again_after_that(crew: OtherProcess, endpoint: Endpoint) -> None:
    endpoint.go.clear()
    began = time.monotonic()
    assert start(crew, 4, seconds=0.5) == 4
    assert time.monotonic() - began < 10
    endpoint.go.set()
    assert start(crew, 4) == 0


def test_a_process_that_dies_is_replaced_and_its_share_is_left(crew: OtherProcess, endpoint: Endpoint) -> None:
    endpoint.go.clear()
    pids = crew.pids()

    def kill_one() -> None:
        while len(endpoint.events) < 10:
            time.sleep(0.005)
        os.kill(pids[0], signal.SIGKILL)
        endpoint.go.set()

    killer = threading.Thread(target=kill_one)
    killer.start()
    left = start(crew, 10)
    killer.join()
    assert left == 5
    assert crew.pids()[0] != pids[0]
    assert crew.pids()[1] == pids[1]
    assert start(crew, 10) == 0


def test_the_processes_end_with_their_owner(crew: OtherProcess, gone: Callable[[list[int]], None]) -> None:
    pids = crew.pids()
    crew.process.kill()
    gone(pids)
