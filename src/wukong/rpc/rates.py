"""How often callers may call a server, each address for itself.

Each address has three buckets. One is for all calls, one for submissions of jobs. The third is for calls whose token is
refused: who has emptied it is not heard at all for a while, whatever token the next call has, so that tokens cannot be
guessed at the speed of the network.
"""

from __future__ import annotations

import dataclasses
import json
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from wukong.errors import TooManyCalls
from wukong.rpc.bucket import Buckets
from wukong.rpc.handler import Handler, Request, Response, before
from wukong.rpc.interceptor import Interceptor

#: Seconds for which a caller may go at any speed who was idle before.
BURST_SECONDS = 10.0

_SUBMIT = "/SubmitJob"


@dataclass(frozen=True, slots=True)
class Rates:
    """The most of each kind in a second, on average over some, from one address."""

    #: Calls of all methods.
    calls: float = 5000.0
    #: Jobs that are submitted.
    submissions: float = 1000.0
    #: Calls with a missing or wrong token.
    failed_tokens: float = 20.0

    @classmethod
    def parse(cls, text: str) -> Rates:
        """The rates of a JSON object such as `{"calls": 100}`; what it does not name keeps its default."""
        try:
            given = json.loads(text) if text else {}
        except ValueError:
            given = None
        known = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(given, dict) or not given.keys() <= known:
            raise ValueError(f"rates are a JSON object with keys among {sorted(known)}, not {text!r}")
        if not all(type(value) in (int, float) and 0 < value < float("inf") for value in given.values()):
            raise ValueError(f"every rate is a number above 0, unlike one of {text!r}")
        return cls(**given)


class RateCheck(Interceptor):
    """Refuses calls that come too fast with `TooManyCalls`, which says after how long to try again."""

    def __init__(self, rates: Rates, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets = {
            field.name: Buckets(rate, max(1.0, rate * BURST_SECONDS))
            for field in dataclasses.fields(rates)
            for rate in (getattr(rates, field.name),)
        }

    def refused(self, peer: str) -> None:
        """Take note of a caller whose token was refused."""
        self._buckets["failed_tokens"].take(address_of(peer), self._clock())

    def around(
        self, handler: Handler[Request, Response], details: grpc.HandlerCallDetails
    ) -> Handler[Request, Response]:
        """The method's handler, which is called only if the caller is not too fast."""
        kinds = ("calls", "submissions") if details.method.endswith(_SUBMIT) else ("calls",)

        def check(context: grpc.aio.ServicerContext[Any, Any]) -> None:
            address, now = address_of(context.peer()), self._clock()
            failed = self._buckets["failed_tokens"]
            self._hold("failed_tokens", failed.wait(address, now), address)
            for kind in kinds:
                self._hold(kind, self._buckets[kind].take(address, now), address)

        return before(handler, check)

    def _hold(self, kind: str, seconds: float, address: str) -> None:
        if seconds > 0:
            raise TooManyCalls(kind, address, self._buckets[kind].rate, seconds)


def address_of(peer: str) -> str:
    """The caller's address without its port, of what gRPC calls its peer ("ipv4:10.0.0.7:51034")."""
    return urllib.parse.unquote(peer).rpartition(":")[0].partition(":")[2].strip("[]") or peer
