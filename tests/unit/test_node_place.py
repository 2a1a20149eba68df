"""Where a node in a container is: on Fargate as ECS tells it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from wukong.errors import ClusterUnavailable
from wukong_kvs_node.place import METADATA, settled

#: As AWS's documentation shows it, shortened.
TASK: dict[str, Any] = {
    "Cluster": "default",
    "TaskARN": "arn:aws:ecs:us-west-2:111122223333:task/default/e9028f8d5d8e4f258373e7b93ce9a3c3",
    "Containers": [
        {
            "Name": "curl",
            "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.0.2.106"], "DomainNameServers": ["10.0.0.2"]}],
        }
    ],
}


class Metadata:
    def __init__(self) -> None:
        self.answer: tuple[int, bytes] = 200, json.dumps(TASK).encode()
        here = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = here.answer if self.path == "/v4/abc/task" else (404, b"")
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        self.environ = {METADATA: f"http://127.0.0.1:{self.server.server_address[1]}/v4/abc"}

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def metadata() -> Iterator[Metadata]:
    made = Metadata()
    yield made
    made.close()


def test_on_fargate_a_node_has_its_tasks_id_and_address(metadata: Metadata) -> None:
    assert settled(metadata.environ) == {
        "WUKONG_NODE_ID": "e9028f8d5d8e4f258373e7b93ce9a3c3",
        "WUKONG_NODE_REDIS_ADDRESS": "10.0.2.106:6379",
        "WUKONG_LISTEN": "10.0.2.106:50053",
    }


def test_elsewhere_it_is_the_host() -> None:
    assert settled({})["WUKONG_NODE_ID"] == socket.gethostname()


@pytest.mark.parametrize(
    "answer", [(500, b""), (200, b"no JSON"), (200, b"{}"), (200, json.dumps({**TASK, "Containers": []}).encode())]
)
def test_what_ecs_does_not_tell_is_said(metadata: Metadata, answer: tuple[int, bytes]) -> None:
    metadata.answer = answer
    with pytest.raises(ClusterUnavailable, match="/v4/abc/task which task this node is"):
        settled(metadata.environ)
