"""Credentials of a role, as a container has them: they end, and others take their place."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from wukong.errors import ClusterUnavailable
from wukong.invocation.api import InvokeApi


class Role:
    """What a container asks for its credentials: answers with the next of `lives`, in minutes; None is an error."""

    def __init__(self) -> None:
        self.lives: list[int | None] = []
        self.asked = 0
        this = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                this.asked += 1
                life = this.lives.pop(0) if this.lives else None
                ends = datetime.now(UTC) + timedelta(minutes=life or 0)
                document = {
                    "AccessKeyId": f"KEY{this.asked}",
                    "SecretAccessKey": "secret",
                    "Token": f"token{this.asked}",
                    "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
                }
                body = json.dumps(document).encode()
                self.send_response(200 if life is not None else 400)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def role(monkeypatch: pytest.MonkeyPatch) -> Iterator[Role]:
    made = Role()
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{made.server.server_port}/role")
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    yield made
    made.close()


def test_credentials_that_end_are_renewed(role: Role) -> None:
    role.lives = [60]
    api = InvokeApi("", "f")
    for _ in range(3):
        headers = api.headers(b"{}")
        assert "Credential=KEY1/" in headers["Authorization"]
        assert headers["X-Amz-Security-Token"] == "token1"
    role.lives = [1, 60]  # botocore renews those that have less than ten minutes left
    api = InvokeApi("", "f")
    assert role.asked == 2
    for _ in range(3):
        headers = api.headers(b"{}")
        assert "Credential=KEY3/" in headers["Authorization"]
        assert headers["X-Amz-Security-Token"] == "token3"
    assert role.asked == 3


@pytest.mark.parametrize("lives", [[-1], [-1, -1]], ids=["no answer", "ended again"])
def test_credentials_that_cannot_be_renewed_say_so(role: Role, lives: list[int | None]) -> None:
    role.lives = lives
    api = InvokeApi("", "f")
    with pytest.raises(ClusterUnavailable, match="'lambda' cannot be called: its credentials cannot be renewed"):
        api.headers(b"{}")
    role.lives = [60]
    assert api.headers(b"{}")["X-Amz-Security-Token"] == f"token{role.asked}"
