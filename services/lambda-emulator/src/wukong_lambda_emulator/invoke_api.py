"""The Invoke API: the part of AWS Lambda's HTTP interface that callers and operators of functions use.

It speaks what `boto3.client("lambda")` speaks. Signatures are not checked and any credentials will do, so it
listens on the loopback interface unless it is told otherwise.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

from aiohttp import web

from wukong_lambda_emulator import api_error, function_name
from wukong_lambda_emulator.api_error import ApiError
from wukong_lambda_emulator.events_api import EventsApi
from wukong_lambda_emulator.function import Function, Request
from wukong_lambda_emulator.queues import Queues
from wukong_lambda_emulator.recursion_api import RecursionApi
from wukong_lambda_emulator.sqs_api import SqsApi

_log = logging.getLogger(__name__)

SYNCHRONOUS_BYTES = 6 * 1024 * 1024
ASYNCHRONOUS_BYTES = 1024 * 1024
CLIENT_CONTEXT_BYTES = 3583

# ListFunctions returns at most so many at once.
PAGE = 50

_FUNCTION = "/2015-03-31/functions/{function}"
_CONCURRENCY = "/2017-10-31/functions/{function}/concurrency"


class InvokeApi:
    """The requests that callers send, answered from `functions`."""

    def __init__(self, functions: Mapping[str, Function], queues: Queues, region: str) -> None:
        self._functions = functions
        self._events = EventsApi(self._function, queues)
        self._recursion = RecursionApi(self._function)
        self._sqs = SqsApi(queues)
        self._region = region
        self._since = time.strftime("%Y-%m-%dT%H:%M:%S.000+0000", time.gmtime())

    def application(self) -> web.Application:
        """The routes."""
        application = web.Application(middlewares=[_errors], client_max_size=SYNCHRONOUS_BYTES)
        application.add_routes(
            [
                web.post(_FUNCTION + "/invocations", self._invoke),
                web.get(_FUNCTION, self._get),
                web.get(_FUNCTION + "/configuration", self._get_configuration),
                web.get("/2015-03-31/functions", self._list),
                web.get("/2015-03-31/functions/", self._list),
                web.put(_CONCURRENCY, self._put_concurrency),
                web.delete(_CONCURRENCY, self._delete_concurrency),
                web.get("/2019-09-30/functions/{function}/concurrency", self._get_concurrency),
                *self._events.routes(),
                *self._recursion.routes(),
                web.post("/", self._sqs.handle),
            ]
        )
        return application

    def _function(self, request: web.Request) -> Function:
        text = request.match_info["function"]
        name, qualifier = function_name.parse(text, request.query.get("Qualifier"))
        function = self._functions.get(name)
        if function is None or qualifier != function_name.LATEST:
            named = "" if qualifier == function_name.LATEST else qualifier
            raise api_error.not_found(function_name.arn(self._region, name, named))
        return function

    async def _invoke(self, request: web.Request) -> web.StreamResponse:
        kind = request.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        if kind not in ("RequestResponse", "Event", "DryRun"):
            raise api_error.invalid_parameter(f"Value '{kind}' at 'invocationType' is none of Lambda's")
        function = self._function(request)
        payload = await _payload(request, kind)
        if kind == "DryRun":
            return web.Response(status=204, headers={"X-Amz-Executed-Version": function_name.LATEST})
        await asyncio.sleep(function.settings.invoke_seconds)
        trace = request.headers.get("X-Amzn-Trace-Id", "")
        if kind == "Event":
            return web.Response(status=202, headers={"x-amzn-RequestId": function.send(Request(payload, trace=trace))})
        context = _client_context(request.headers.get("X-Amz-Client-Context", ""))
        invocation = function.call(Request(payload, context, trace))
        assert invocation.outcome is not None
        answer = await invocation.outcome
        if isinstance(answer, ApiError):
            raise answer
        headers = {
            "Content-Type": "application/json",
            "x-amzn-RequestId": invocation.request_id,
            "X-Amz-Executed-Version": function_name.LATEST,
        }
        if answer.function_error:
            headers["X-Amz-Function-Error"] = answer.function_error
        if request.headers.get("X-Amz-Log-Type") == "Tail":
            headers["X-Amz-Log-Result"] = base64.b64encode(answer.tail).decode()
        return web.Response(body=answer.payload, headers=headers)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        function = self._function(request)
        document: dict[str, Any] = {
            "Configuration": self._configuration(function),
            "Code": {"RepositoryType": "local", "Location": function.settings.directory},
        }
        if function.reserved is not None:
            document["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
        return web.json_response(document)

    async def _get_configuration(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._configuration(self._function(request)))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        marker = request.query.get("Marker", "")
        try:
            size = min(int(request.query.get("MaxItems", PAGE)), PAGE)
        except ValueError:
            raise api_error.invalid_parameter("MaxItems must be a number") from None
        if size < 1:
            raise api_error.invalid_parameter("MaxItems must be at least 1")
        names = [name for name in sorted(self._functions) if name > marker]
        page = names[:size]
        document: dict[str, Any] = {"Functions": [self._configuration(self._functions[name]) for name in page]}
        if len(names) > size:
            document["NextMarker"] = page[-1]
        return web.json_response(document)

    async def _put_concurrency(self, request: web.Request) -> web.StreamResponse:
        function = self._function(request)
        try:
            value = json.loads(await request.read())["ReservedConcurrentExecutions"]
        except (ValueError, TypeError, KeyError):
            raise api_error.invalid_content("ReservedConcurrentExecutions is missing") from None
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise api_error.invalid_parameter("ReservedConcurrentExecutions must be a number from 0 on")
        function.reserve(value)
        return web.json_response({"ReservedConcurrentExecutions": value})

    async def _delete_concurrency(self, request: web.Request) -> web.StreamResponse:
        self._function(request).reserve(None)
        return web.Response(status=204)

    async def _get_concurrency(self, request: web.Request) -> web.StreamResponse:
        reserved = self._function(request).reserved
        return web.json_response({} if reserved is None else {"ReservedConcurrentExecutions": reserved})

    def _configuration(self, function: Function) -> dict[str, Any]:
        settings = function.settings
        document: dict[str, Any] = {
            "FunctionName": function.name,
            "FunctionArn": function.arn,
            "Handler": settings.handler,
            "Description": "",
            "Timeout": math.ceil(settings.timeout),
            "MemorySize": settings.memory_mb,
            "LastModified": self._since,
            "Version": function_name.LATEST,
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "PackageType": "Image",
        }
        if settings.environment:
            document["Environment"] = {"Variables": dict(settings.environment)}
        return document


async def _payload(request: web.Request, kind: str) -> bytes:
    limit = ASYNCHRONOUS_BYTES if kind == "Event" else SYNCHRONOUS_BYTES
    if request.content_length is not None and request.content_length > limit:
        raise api_error.too_large(request.content_length, kind, limit)
    try:
        payload = await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise api_error.too_large(limit + 1, kind, limit) from error
    if len(payload) > limit:
        raise api_error.too_large(len(payload), kind, limit)
    if not payload:
        return b"{}"
    try:
        json.loads(payload, parse_constant=_refuse_constant)
    except ValueError as error:
        raise api_error.invalid_content(f"Could not parse request body into json: {error}") from None
    except RecursionError:
        raise api_error.invalid_content("Could not parse request body into json: it is nested too deeply") from None
    return payload


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _client_context(header: str) -> str:
    """The JSON in the header, on one line."""
    if not header:
        return ""
    try:
        text = base64.b64decode(header, validate=True)
        document = json.loads(text)
    except (binascii.Error, ValueError):
        raise api_error.invalid_content("Client context must be a valid Base64-encoded JSON object.") from None
    if not isinstance(document, dict):
        raise api_error.invalid_content("Client context must be a valid Base64-encoded JSON object.")
    if len(text) > CLIENT_CONTEXT_BYTES:
        raise api_error.invalid_parameter(
            f"Client context is {len(text)} bytes, above the limit of {CLIENT_CONTEXT_BYTES}"
        )
    return json.dumps(document)


_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def _errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        refused = error
    except web.HTTPNotFound:
        refused = ApiError(404, "UnknownOperationException", f"the emulator has no {request.method} {request.path}")
    except web.HTTPMethodNotAllowed:
        refused = ApiError(405, "UnknownOperationException", f"the emulator has no {request.method} {request.path}")
    except Exception as error:
        _log.exception("%s %s failed", request.method, request.path)
        refused = api_error.service_error(f"the emulator failed: {error!r}")
    return web.Response(status=refused.status, body=refused.body, headers=refused.headers)
