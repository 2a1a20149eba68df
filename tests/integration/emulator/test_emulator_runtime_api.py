"""The Runtime API as a runtime of any make may use it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator

import aiohttp
import pytest

from wukong_lambda_emulator.environment import Environment
from wukong_lambda_emulator.environment_log import EnvironmentLog, FunctionLog
from wukong_lambda_emulator.failure import Failure
from wukong_lambda_emulator.invocation import Invocation
from wukong_lambda_emulator.runtime_api import RESPONSE_BYTES, RuntimeApi

BASE = "http://{}/2018-06-01/runtime"


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


class Recorder:
    """An owner that writes down what it is told, and ends invocations as a function would."""

    def __init__(self) -> None:
        self.polls = 0
        self.answers: list[tuple[bytes, str, Failure | None]] = []
        self.lost = 0

    def polled(self, environment: Environment) -> None:
        self.polls += 1

    def answered(self, environment: Environment, document: bytes, function_error: str, failed: Failure | None) -> None:
        self.answers.append((document, function_error, failed))
        environment.conclude(None)

    def undelivered(self, environment: Environment) -> None:
        self.lost += 1


class Bench:
    """One environment, its API and a runtime's HTTP session."""

    def __init__(self, host: str = "") -> None:
        self.host = host
        self.owner = Recorder()
        self.environment = Environment(1, self.owner, EnvironmentLog(1, FunctionLog("f", None)), 5.0, 128)
        self.api = RuntimeApi(self.environment)

    async def __aenter__(self) -> Bench:
        self.base = BASE.format(await self.api.listen(self.host))
        self.session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()
        self.environment.close()
        await self.api.close()

    async def poll(self) -> aiohttp.ClientResponse:
        return await self.session.get(f"{self.base}/invocation/next")

    async def deliver(self, client_context: str = "") -> aiohttp.ClientResponse:
        """Poll, and get an invocation `id` with the payload `{}`."""
        polls = self.owner.polls
        polling = asyncio.create_task(self.poll())
        await until(lambda: self.owner.polls > polls)
        self.environment.deliver(Invocation("id.2", "id", b"{}", "Root=1", "arn:f", client_context))
        return await polling

    async def post(self, path: str, data: object, **headers: str) -> tuple[int, str]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(f"{self.base}/{path}", data=data, headers=names) as response:
            return response.status, json.loads(await response.read()).get("errorType", "")


@pytest.fixture
def run() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def test_an_invocation_comes_with_its_headers(run: asyncio.Runner) -> None:
    async def scenario() -> None:
        async with Bench() as bench:
            response = await bench.deliver(client_context='{"custom": {}}')
            assert response.status == 200
            assert await response.read() == b"{}"
            headers = response.headers
            assert headers["Lambda-Runtime-Aws-Request-Id"] == "id"
            assert headers["Lambda-Runtime-Invoked-Function-Arn"] == "arn:f"
            assert headers["Lambda-Runtime-Trace-Id"] == "Root=1"
            assert headers["Lambda-Runtime-Client-Context"] == '{"custom": {}}'
            assert int(headers["Lambda-Runtime-Deadline-Ms"]) == bench.environment.deadline_ms

    run.run(scenario())


def test_a_response_may_come_in_chunks(run: asyncio.Runner) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(60):
            yield b"x" * 100_000

    async def scenario() -> None:
        async with Bench() as bench:
            await bench.deliver()
            assert await bench.post("invocation/id/response", chunks()) == (202, "")
            assert bench.owner.answers == [(b"x" * 6_000_000, "", None)]

    run.run(scenario())


def test_a_response_past_the_limit_is_refused_and_fails_the_invocation(run: asyncio.Runner) -> None:
    async def scenario() -> None:
        async with Bench() as bench:
            await bench.deliver()
            refused = await bench.post("invocation/id/response", io.BytesIO(b"x" * (RESPONSE_BYTES + 1)))
            assert refused == (413, "RequestEntityTooLarge")
            ((document, function_error, failed),) = bench.owner.answers
            assert json.loads(document)["errorType"] == "Function.ResponseSizeTooLarge"
            assert function_error == "Unhandled"
            assert failed is not None

    run.run(scenario())


@pytest.mark.parametrize(("kind", "expected"), [("Handled", "Handled"), ("ValueError", "Unhandled"), ("", "Unhandled")])
def test_an_error_says_whether_it_was_handled(run: asyncio.Runner, kind: str, expected: str) -> None:
    async def scenario() -> None:
        async with Bench() as bench:
            await bench.deliver()
            document = b'{"errorType": "ValueError", "errorMessage": "no"}'
            posted = await bench.post("invocation/id/error", document, Lambda_Runtime_Function_Error_Type=kind)
            assert posted == (202, "")
            assert bench.owner.answers == [(document, expected, Failure("ValueError", "no", document))]

    run.run(scenario())


def test_an_error_document_of_any_shape_is_passed_on(run: asyncio.Runner) -> None:
    async def scenario() -> None:
        async with Bench() as bench:
            await bench.deliver()
            assert (await bench.post("invocation/id/error", b"broken"))[0] == 202
            ((document, _, failed),) = bench.owner.answers
            assert document == b"broken"
            assert failed is not None
            assert failed.error_type == "Runtime.UnknownReason"

    run.run(scenario())


def test_an_initialisation_error_is_kept(run: asyncio.Runner) -> None:
    async def scenario() -> None:
        async with Bench() as bench:
            document = b'{"errorType": "Runtime.ImportModuleError", "errorMessage": "no module"}'
            assert (await bench.post("init/error", document))[0] == 202
            assert bench.environment.init_failure == Failure("Runtime.ImportModuleError", "no module", document)

    run.run(scenario())


def test_what_comes_out_of_turn_is_refused(run: asyncio.Runner) -> None:
    async def scenario() -> None:
        async with Bench() as bench:
            assert await bench.post("invocation/id/response", b"1") == (400, "InvalidRequestID")
            await bench.deliver()
            assert await bench.post("invocation/other/response", b"1") == (400, "InvalidRequestID")
            assert (await bench.poll()).status == 403
            assert await bench.post("invocation/id/response", b"1") == (202, "")
            assert await bench.post("invocation/id/response", b"1") == (400, "InvalidRequestID")
            assert await bench.post("no/such/path", b"") == (404, "NotFound")

    run.run(scenario())


def test_an_invocation_for_a_runtime_that_hung_up_is_given_back(run: asyncio.Runner) -> None:
    async def scenario() -> None:
        async with Bench() as bench:
            reader, writer = await asyncio.open_connection(*bench.base.split("/")[2].split(":"))
            writer.write(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: bench.owner.polls)
            writer.close()
            await writer.wait_closed()
            await until(lambda: all(known.transport is None for known in bench.api._server.connections))
            bench.environment.deliver(Invocation("id.2", "id", b"{}", "Root=1", "arn:f"))
            await until(lambda: bench.owner.lost)
            assert await reader.read() == b""

    run.run(scenario())


@pytest.mark.parametrize(("caller", "status"), [("127.0.0.1", 202), ("127.0.0.2", 403)])
def test_in_a_network_nobody_but_the_environment_is_served(run: asyncio.Runner, caller: str, status: int) -> None:
    async def scenario() -> None:
        async with Bench("localhost") as bench:
            early = asyncio.create_task(bench.post("init/error", b"{}"))
            await asyncio.sleep(0)
            bench.api.admit(caller)
            assert (await early)[0] == status
            assert (await bench.post("init/error", b"{}"))[0] == status
            assert (bench.environment.init_failure is None) == (status == 403)

    run.run(scenario())
