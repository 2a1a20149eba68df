"""Emulators for tests, met as callers meet them: real boto3, real awslambdaric, real processes from the real zygote."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest
from botocore.config import Config

from wukong_lambda_emulator.server import Service, serve

T = TypeVar("T")
HERE = str(Path(__file__).parent)


class Zygote:
    """A zygote that lives as long as this object, or until it is killed."""

    def __init__(self, path: Path, preload: str) -> None:
        self.path = str(path)
        reading, self._lifeline = os.pipe()
        command = ["--socket", self.path, "--preload", preload, "--lifeline", str(reading)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wukong_lambda_emulator.zygote", *command], pass_fds=[reading]
        )
        os.close(reading)

    def close(self) -> None:
        os.close(self._lifeline)
        self.process.wait(10)


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    zygote = Zygote(tmp_path_factory.mktemp("zygote") / "socket", "numpy,boto3")
    yield zygote
    zygote.close()


class Loop:
    """An event loop in a thread, so that the tests themselves are plain callers."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


@pytest.fixture(scope="module")
def begin_zygote() -> Callable[[Path], Zygote]:
    """Start one more zygote, at a socket of its own; who does so closes it."""
    return lambda path: Zygote(path, "")


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@dataclass
class Emulator:
    """One emulator with one function, `f`, and a client of it that does not retry."""

    service: Service
    client: Any
    others: list[Any]

    def invoke(self, event: object = None, **more: Any) -> dict[str, Any]:
        """Invoke `f`; the answer with its payload decoded, and the log tail if one was asked for."""
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        answer: dict[str, Any] = self.client.invoke(FunctionName="f", Payload=payload, **more)
        text = answer["Payload"].read()
        answer["Payload"] = json.loads(text) if text else None
        if "LogResult" in answer:
            answer["LogResult"] = base64.b64decode(answer["LogResult"]).decode()
        return answer

    def log(self) -> str:
        return self.service.logs("f")

    def sqs(self) -> Any:
        """A client of its queues, which it closes itself."""
        self.others.append(_client("sqs", self.service.address))
        return self.others[-1]

    def until(self, condition: Callable[[], T], seconds: float = 20.0) -> T:
        """What `condition` returns, once that is true."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, f"it did not happen in time; the log is\n{self.log()}"
            time.sleep(0.005)
        return value


def _client(service: str, address: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=f"http://{address}",
        region_name="us-east-1",
        aws_access_key_id="anybody",
        aws_secret_access_key="anything",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def emulate(zygote: Zygote, loop: Loop) -> Iterator[Callable[..., Emulator]]:
    """Start an emulator whose function is the given handler of `emulator_fixtures`, with these settings."""
    begun: list[Emulator] = []

    def start(handler: str, *, environ: dict[str, str] | None = None, **settings: Any) -> Emulator:
        function = {"directory": HERE, "warm": 0, "timeout": 10, **settings}
        function["handler"] = handler if "." in handler else f"emulator_fixtures.{handler}"
        known = {"WUKONG_FUNCTIONS": json.dumps({"f": function}), "WUKONG_ZYGOTE_SOCKET": zygote.path}
        service = loop.run(serve({**known, **(environ or {})}))
        begun.append(Emulator(service, _client("lambda", service.address), []))
        return begun[-1]

    yield start
    for emulator in begun:
        for client in (emulator.client, *emulator.others):
            client.close()
        loop.run(emulator.service.close())
