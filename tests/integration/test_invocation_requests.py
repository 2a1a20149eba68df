"""Requests to invoke a function, against a server that ends connections as real ones do."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from typing import cast

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from wukong.errors import ClusterUnavailable
from wukong.invocation.api import InvokeApi
from wukong.invocation.refusal import NO_ANSWER, Refusal
from wukong.invocation.requests import Requests

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
THROTTLED = (
    b"HTTP/1.1 429 Too Many\r\nx-amzn-ErrorType: TooManyRequestsException\r\nContent-Length: 19\r\n\r\n"
    b'{"Message": "slow"}'
)
LOCAL = {"AWS_ACCESS_KEY_ID": "nobodys", "AWS_SECRET_ACCESS_KEY": "nobodys"}


class Server:
    """Answers each request with the next of `answers`; None ends the connection instead."""

    def __init__(self, answers: list[bytes | None], host: str = "127.0.0.1") -> None:
        self.answers = answers
        self.connections = 0
        self.requests: list[bytes] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 0), family=family)
        self.listener.settimeout(10)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        while self.answers:
            connection, _ = self.listener.accept()
            self.connections += 1
            with connection:
                while self.answers and (request := self._read(connection)):
                    self.requests.append(request)
                    answer = self.answers.pop(0)
                    if answer is None:
                        break
                    connection.sendall(answer)

    def _read(self, connection: socket.socket) -> bytes:
        text = b""
        while not text.endswith(b"}"):
            part = connection.recv(65536)
            if not part:
                return b""
            text += part
        return text

    def close(self) -> None:
        self.thread.join()
        self.listener.close()


@pytest.fixture
def served() -> Iterator[list[Server]]:
    made: list[Server] = []
    yield made
    for server in made:
        server.close()


def requests(server: Server, url: str = "") -> Requests:
    return Requests(InvokeApi(url or server.url, "the-function", LOCAL))


def parted(request: bytes) -> tuple[str, dict[str, str], bytes]:
    """Path, headers and body of a request."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first.split()[1], dict(line.split(": ", 1) for line in lines), body


def test_requests_one_after_the_other_share_a_connection(served: list[Server]) -> None:
    served.append(server := Server([ACCEPTED, THROTTLED, ACCEPTED]))
    made = requests(server)
    assert made.post(b'{"a": 1}', "Root=1") is None
    assert made.post(b"{}") == Refusal("TooManyRequestsException", "slow")
    assert made.post(b"{}") is None
    made.close()
    assert server.connections == 1
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /2015-03-31/functions/the-function/invocations HTTP/1.1\r\n")
    assert b"X-Amzn-Trace-Id: Root=1" in head
    assert body == b'{"a": 1}'


def test_a_connection_that_ended_while_it_was_idle_is_replaced(served: list[Server]) -> None:
    served.append(server := Server([ACCEPTED, None, ACCEPTED]))
    made = requests(server)
    assert [made.post(b"{}"), made.post(b"{}")] == [None, None]
    made.close()
    assert server.connections == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "LOCALHOST", "user:word@127.0.0.1", "[::1]"])
def test_what_is_sent_is_what_is_signed(host: str, served: list[Server]) -> None:
    """As botocore signs what came: its headers, its host among them."""
    served.append(server := Server([ACCEPTED], "::1" if host == "[::1]" else "127.0.0.1"))
    made = requests(server, f"http://{host}:{server.port}/behind/")
    assert made.post(b"{}", "Root=1") is None
    made.close()
    path, headers, body = parted(server.requests[0])
    assert path == "/behind/2015-03-31/functions/the-function/invocations"
    (names,) = re.findall("SignedHeaders=([^,]+)", headers["Authorization"])
    assert names == "content-type;host;x-amz-date;x-amz-invocation-type"
    signed = {name: value for name, value in headers.items() if name.lower() in names.split(";")}
    stamp = signed.pop("X-Amz-Date")
    request = AWSRequest("POST", f"http://{signed.pop('Host')}{path}", data=body, headers=signed)
    request.context["timestamp"] = stamp
    request.headers["X-Amz-Date"] = stamp
    signer = SigV4Auth(ReadOnlyCredentials("nobodys", "nobodys", None), "lambda", "us-east-1")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    assert headers["Authorization"].endswith(f"Signature={signer.signature(text, request)}")


def test_credentials_that_cannot_be_renewed_are_a_refusal_that_passes() -> None:
    class Api:
        address, path = ("http", "127.0.0.1:1"), "/"

        def headers(self, payload: bytes, trace: str) -> dict[str, str]:
            raise ClusterUnavailable("its credentials cannot be renewed: away")

    refused = Requests(cast("InvokeApi", Api())).post(b"{}")
    assert refused is not None
    assert refused.passes
    assert "its credentials cannot be renewed: away" in refused.message


def test_no_answer_is_a_refusal_that_passes(served: list[Server]) -> None:
    served.append(server := Server([None]))
    refused = requests(server).post(b"{}")
    assert refused is not None
    assert refused.code == NO_ANSWER
    assert refused.passes
