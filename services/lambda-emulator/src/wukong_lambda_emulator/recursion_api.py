"""The operations on a function's recursive loop detection: whether chains of invocations are cut."""

from __future__ import annotations

import json
from collections.abc import Callable

from aiohttp import web

from wukong_lambda_emulator import api_error
from wukong_lambda_emulator.function import Function
from wukong_lambda_emulator.function_settings import RECURSIVE_LOOPS

_CONFIG = "/2024-08-31/functions/{function}/recursion-config"


class RecursionApi:
    """The requests that set and show it."""

    def __init__(self, find: Callable[[web.Request], Function]) -> None:
        """`find` returns the function that a request names, or raises an ApiError."""
        self._find = find

    def routes(self) -> list[web.RouteDef]:
        """What it answers."""
        return [web.put(_CONFIG, self._put), web.get(_CONFIG, self._get, allow_head=False)]

    async def _put(self, request: web.Request) -> web.StreamResponse:
        function = self._find(request)
        try:
            asked = json.loads(await request.read())["RecursiveLoop"]
        except (ValueError, TypeError, KeyError):
            raise api_error.invalid_parameter("RecursiveLoop is missing") from None
        if asked not in RECURSIVE_LOOPS:
            raise api_error.invalid_parameter(
                f"1 validation error detected: Value '{asked}' at 'recursiveLoop' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{', '.join(RECURSIVE_LOOPS)}]"
            )
        function.recursive_loop = asked
        return _document(function)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        return _document(self._find(request))


def _document(function: Function) -> web.StreamResponse:
    return web.json_response({"RecursiveLoop": function.recursive_loop})
