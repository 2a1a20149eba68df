"""A Lambda function's secret, from a server of Secrets Manager."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from tests.integration.aws.amazon import REGION, Amazon

from wukong.errors import AccessDenied, ClusterUnavailable, InvalidSetting
from wukong.invocation import function_secret
from wukong.invocation.function_secret import with_secret


def environ(amazon: Amazon, arn: str, **more: str) -> dict[str, str]:
    return {
        "WUKONG_SECRETS_ARN": arn,
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": amazon.url,
        "AWS_ACCESS_KEY_ID": "nobodys",
        "AWS_SECRET_ACCESS_KEY": "nobodys",
        **more,
    }


def test_the_secret_is_added_to_what_the_environment_says(amazon: Amazon) -> None:
    arn = amazon.secret({"WUKONG_TOKEN": "of the secret", "WUKONG_STORE_USER": "executor"})
    told = with_secret(environ(amazon, arn, WUKONG_STORE_USER="said"))
    assert (told["WUKONG_TOKEN"], told["WUKONG_STORE_USER"]) == ("of the secret", "said")


def test_without_an_arn_nobody_is_asked() -> None:
    told = {"WUKONG_TOKEN": "token", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:9"}
    assert with_secret(told) is told


def test_an_executor_starts_with_its_secret_and_without_botocore(amazon: Amazon) -> None:
    """In a process of its own, as in Lambda; what the secret has is not in the environment that tasks see."""
    arn = amazon.secret({"WUKONG_SIGNING_KEY": "ab" * 16, "WUKONG_STORE_PASSWORD": "hidden"})
    program = """
        import os, sys
        from wukong.invocation.function_secret import with_secret
        from wukong_executor.environment import Environment
        told = with_secret(os.environ)
        Environment(told)
        assert told["WUKONG_STORE_PASSWORD"] == "hidden"
        assert "hidden" not in os.environ.values()
        assert not {"boto3", "botocore"} & set(sys.modules)
    """
    named = {name: value for name, value in os.environ.items() if not name.startswith("WUKONG_")}
    named |= environ(amazon, arn, WUKONG_MDS_ADDRESS="localhost:1")
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], env=named, check=True, timeout=60)


def test_a_secret_that_is_not_there_is_named_with_what_to_do(amazon: Amazon) -> None:
    arn = amazon.secret({}).replace("the-secret", "another")
    with pytest.raises(ClusterUnavailable, match=f"ResourceNotFoundException.*in the region {REGION}") as caught:
        with_secret(environ(amazon, arn))
    assert arn in str(caught.value)


@pytest.mark.parametrize("text", ["plain", "[1]", '{"WUKONG_TOKEN": 1}'])
def test_what_holds_no_pairs_of_texts_is_refused_and_not_shown(amazon: Amazon, text: str) -> None:
    with pytest.raises(InvalidSetting, match="must be a JSON object") as caught:
        with_secret(environ(amazon, amazon.secret(text)))
    assert text not in str(caught.value).replace('{"VARIABLE"', "")


@pytest.mark.parametrize("arn", ["the-secret", "arn:aws:s3:::bucket", "arn:aws:secretsmanager::1:secret:a"])
def test_what_is_no_secrets_arn_is_refused(amazon: Amazon, arn: str) -> None:
    with pytest.raises(InvalidSetting, match="WUKONG_SECRETS_ARN"):
        with_secret(environ(amazon, arn))


def test_a_part_that_is_no_function_is_told_so() -> None:
    with pytest.raises(ClusterUnavailable, match="is for Lambda functions"):
        with_secret({"WUKONG_SECRETS_ARN": f"arn:aws:secretsmanager:{REGION}:1:secret:a"})


class Answers:
    """A Secrets Manager that answers with the next of some statuses and bodies."""

    def __init__(self) -> None:
        self.left: list[tuple[int, bytes]] = []
        here = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                status, body = here.left.pop(0)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.told = {
            "WUKONG_SECRETS_ARN": f"arn:aws:secretsmanager:{REGION}:1:secret:a",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://127.0.0.1:{self._server.server_address[1]}",
        }

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    monkeypatch.setattr(function_secret, "PAUSE", 0.0)
    with closing(Answers()) as made:
        yield made


BUSY = 400, b'{"__type": "ThrottlingException", "Message": "slow"}'
BROKEN = 503, b"<html>"
DENIED = 400, b'{"__type": "com.amazonaws#AccessDeniedException", "Message": "not authorized"}'
FOUND = 200, b'{"SecretString": "{\\"WUKONG_TOKEN\\": \\"token\\"}"}'


def test_a_busy_service_is_asked_again(answers: Answers) -> None:
    answers.left = [BUSY, BROKEN, FOUND]
    assert with_secret(answers.told)["WUKONG_TOKEN"] == "token"
    answers.left = [BUSY] * function_secret.ATTEMPTS
    with pytest.raises(ClusterUnavailable, match="ThrottlingException: slow"):
        with_secret(answers.told)
    assert answers.left == []


def test_a_role_that_may_not_is_told_what_to_allow_and_not_asked_again(answers: Answers) -> None:
    answers.left = [DENIED, FOUND]
    with pytest.raises(AccessDenied, match="Allow the function's role secretsmanager:GetSecretValue"):
        with_secret(answers.told)
    assert answers.left == [FOUND]


def test_a_service_that_does_not_answer_is_told_of_with_its_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function_secret, "PAUSE", 0.0)
    with socket.socket() as bound:  # which does not listen
        bound.bind(("127.0.0.1", 0))
        told = {
            "WUKONG_SECRETS_ARN": f"arn:aws:secretsmanager:{REGION}:1:secret:a",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://127.0.0.1:{bound.getsockname()[1]}",
        }
        with pytest.raises(ClusterUnavailable, match='needs the interface endpoint "secretsmanager"'):
            with_secret(told)
