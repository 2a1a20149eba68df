"""The Runtime API: how an environment gets invocations and posts what became of them.

Runtimes know the API as host and port, without a path, so each environment has a port of its own. Where that is open to
a network, nobody but the environment is served there: others would take its invocations, or answer them.
"""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from wukong_lambda_emulator import failure
from wukong_lambda_emulator.environment import Environment
from wukong_lambda_emulator.failure import Failure

# Lambda's limit of a response, which is a little above that of a request.
RESPONSE_BYTES = 6 * 1024 * 1024 + 100

_PREFIX = "/2018-06-01/runtime/"
_JSON = {"Content-Type": "application/json"}


class RuntimeApi:
    """The server of one environment."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        # Connections stay: the runtime keeps one, between invocations that may be hours apart.
        self._server = web.Server(self._handle, access_log=None, keepalive_timeout=1e6)
        self._listening: asyncio.Server | None = None
        self._caller: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def listen(self, host: str = "") -> str:
        """Start, and return host:port.

        Args:
            host: The name of this machine in a network that it listens in; empty for itself alone. In a network calls
                wait until `admit` was called.
        """
        interface = "0.0.0.0" if host else "127.0.0.1"
        if not host:
            self.admit(interface)
        self._listening = await asyncio.get_running_loop().create_server(self._server, interface, 0)
        port = self._listening.sockets[0].getsockname()[1]
        return f"{host or interface}:{port}"

    def admit(self, address: str) -> None:
        """Serve the caller with this IP address, and no other."""
        if not self._caller.done():
            self._caller.set_result(address)

    async def close(self) -> None:
        """Stop, and close the connections."""
        self._caller.cancel()
        if self._listening:
            self._listening.close()
        await self._server.shutdown(0.0)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        method, path = request.method, request.path
        if request.remote != await asyncio.shield(self._caller):
            return _error(403, "AccessDenied", "this is the Runtime API of another environment")
        if not path.startswith(_PREFIX):
            return _error(404, "NotFound", f"the Runtime API has no {path}")
        parts = path[len(_PREFIX) :].split("/")
        match method, parts:
            case "GET", ["invocation", "next"]:
                return await self._next(request)
            case "POST", ["invocation", id_, "response" | "error" as kind]:
                return await self._post(request, id_, kind)
            case "POST", ["init", "error"]:
                return await self._init_error(request)
        return _error(404, "NotFound", f"the Runtime API has no {method} {path}")

    async def _next(self, request: web.BaseRequest) -> web.StreamResponse:
        invocation = await self._environment.next()
        if invocation is None:
            return _error(403, "InvalidStateTransition", "the present invocation has not been answered")
        if request.transport is None or request.transport.is_closing():
            self._environment.lost()
            return web.Response(status=410)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(self._environment.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.arn,
            "Lambda-Runtime-Trace-Id": invocation.trace,
            "Content-Type": "application/json",
        }
        if invocation.client_context:
            headers["Lambda-Runtime-Client-Context"] = invocation.client_context
        return web.Response(body=invocation.payload, headers=headers)

    async def _post(self, request: web.BaseRequest, id_: str, kind: str) -> web.StreamResponse:
        size, body = await _read(request)
        environment = self._environment
        if environment.invocation is None or environment.invocation.request_id != id_:
            return _error(400, "InvalidRequestID", f"{id_} is not the present invocation")
        if kind == "error":
            failed = _reported(body, request.headers.get("Lambda-Runtime-Function-Error-Type", ""))
            handled = request.headers.get("Lambda-Runtime-Function-Error-Type", "").lower() == "handled"
            environment.answer(body, "Handled" if handled else "Unhandled", failed)
        elif size > RESPONSE_BYTES:
            failed = failure.too_large(size, RESPONSE_BYTES)
            document = json.dumps({"errorType": failed.error_type, "errorMessage": failed.message})
            environment.answer(document.encode(), "Unhandled", failed)
            message = f"Exceeded maximum allowed payload size ({RESPONSE_BYTES} bytes)."
            return _error(413, "RequestEntityTooLarge", message)
        else:
            environment.answer(body)
        return web.Response(status=202, body=b'{"status":"OK"}', headers=_JSON)

    async def _init_error(self, request: web.BaseRequest) -> web.StreamResponse:
        _, body = await _read(request)
        self._environment.fail_start(_reported(body, request.headers.get("Lambda-Runtime-Function-Error-Type", "")))
        return web.Response(status=202, body=b'{"status":"OK"}', headers=_JSON)


async def _read(request: web.BaseRequest) -> tuple[int, bytes]:
    """The size of a body and, unless that is past the limit, the body."""
    size, chunks = 0, []
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size <= RESPONSE_BYTES:
            chunks.append(chunk)
    return size, b"".join(chunks)


def _reported(body: bytes, kind: str) -> Failure:
    """The failure in a document that a runtime posted; whatever it posted, its caller gets it as it is."""
    try:
        document = json.loads(body)
        return Failure(document["errorType"] or kind, document["errorMessage"], body)
    except (ValueError, TypeError, KeyError):
        return Failure(kind or "Runtime.UnknownReason", "the runtime reported an error that is not a JSON object", body)


def _error(status: int, kind: str, message: str) -> web.Response:
    document = json.dumps({"errorType": kind, "errorMessage": message})
    return web.Response(status=status, body=document.encode(), headers=_JSON)
