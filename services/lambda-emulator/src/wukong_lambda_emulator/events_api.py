"""The operations on a function's asynchronous invocations: its event invoke configuration, under `$LATEST`."""

from __future__ import annotations

import time
from collections.abc import Callable

from aiohttp import web

from wukong_lambda_emulator import api_error, function_name
from wukong_lambda_emulator.api_error import ApiError
from wukong_lambda_emulator.event_invoke_config import EventInvokeConfig, change
from wukong_lambda_emulator.function import Function
from wukong_lambda_emulator.queues import Queues, Undeliverable

_CONFIG = "/2019-09-25/functions/{function}/event-invoke-config"


class EventsApi:
    """The requests that set and show these configurations."""

    def __init__(self, find: Callable[[web.Request], Function], queues: Queues) -> None:
        """`find` returns the function that a request names, or raises an ApiError."""
        self._find = find
        self._queues = queues

    def routes(self) -> list[web.RouteDef]:
        """What it answers."""
        return [
            web.put(_CONFIG, self._put),
            web.post(_CONFIG, self._update),
            web.get(_CONFIG, self._get, allow_head=False),
            web.delete(_CONFIG, self._delete),
            web.get(_CONFIG + "/list", self._list, allow_head=False),
        ]

    async def _put(self, request: web.Request) -> web.StreamResponse:
        return await self._set(request, self._find(request), EventInvokeConfig())

    async def _update(self, request: web.Request) -> web.StreamResponse:
        function = self._find(request)
        return await self._set(request, function, _configured(function))

    async def _set(self, request: web.Request, function: Function, before: EventInvokeConfig) -> web.StreamResponse:
        config = change(before, await request.read(), time.time())
        for target in filter(None, (config.on_success, config.on_failure)):
            try:
                self._queues.at(target)
            except Undeliverable as error:
                raise api_error.invalid_parameter(f"The destination ARN {target} is invalid: {error}") from None
        function.configure_events(config)
        return web.json_response(_document(function, config))

    async def _get(self, request: web.Request) -> web.StreamResponse:
        function = self._find(request)
        return web.json_response(_document(function, _configured(function)))

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        function = self._find(request)
        _configured(function)
        function.configure_events(None)
        return web.Response(status=204)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        function = self._find(request)
        config = function.event_config
        return web.json_response(
            {"FunctionEventInvokeConfigs": [] if config is None else [_document(function, config)]}
        )


def _configured(function: Function) -> EventInvokeConfig:
    if function.event_config is None:
        arn = f"{function.arn}:{function_name.LATEST}"
        raise ApiError(404, "ResourceNotFoundException", f"The function {arn} doesn't have an EventInvokeConfig")
    return function.event_config


def _document(function: Function, config: EventInvokeConfig) -> dict[str, object]:
    return config.document(f"{function.arn}:{function_name.LATEST}")
