"""Starts executors: asynchronous invocations of the executor function, many at once.

One invocation is a request of half a millisecond to a local endpoint and some tens of milliseconds to AWS,
so each takes a thread of a pool meanwhile. All take turns at the pace that the operator allows
(`wukong.invocation.pace`). An invocation that is refused for want of capacity is asked for
again with growing pauses; when that does not help either, the record stays as it is and the sweeper finds
it. Any other refusal will be the same the next time, and ends the job with its cause.

Very many records are shared among a few invocations of the invoker function, which starts their executors from
several processes. Where the invoker function is refused, its share is started from here.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from wukong.errors import ClusterUnavailable
from wukong.invocation.api import InvokeApi
from wukong.invocation.event import executor_event, invoker_event
from wukong.invocation.pacing import Pacing
from wukong.invocation.refusal import BUSY, NO_ANSWER, Refusal
from wukong.invocation.requests import Requests
from wukong.invocation.spreading import Spreading
from wukong.mds.failure import Failure

#: Invocations under way at once.
THREADS = 16

#: Requests for one record before it is left to the sweeper, or to its error.
ATTEMPTS = 8

#: Seconds before the second request; each further pause is twice as long.
FIRST_PAUSE = 0.05

#: As fast as Lambda answers.
NO_PACING = Pacing()

#: What stands for an answer to what is not asked any more.
_CLOSED = Refusal(NO_ANSWER, "the scheduler ends")

_log = logging.getLogger(__name__)

#: Asks for one executor for each of some records of a job, and returns at once. With each record come the pages that
#: its entries are in, as far as they are known: the executor then reads them together with the record.
Invoke = Callable[[str, Mapping[str, Sequence[int]]], None]

#: Called with a job and the reason why none of its executors can be started.
OnRefused = Callable[[str, Failure], None]


class Invocations:
    """Invokes the executor function for records."""

    def __init__(
        self, endpoint: str, function: str, spreading: Spreading, on_refused: OnRefused, pacing: Pacing = NO_PACING
    ) -> None:
        """`endpoint` is the URL of the Invoke API, empty for AWS's own."""
        self._endpoint = endpoint
        self._function = function
        self._spreading = spreading
        self._on_refused = on_refused
        self._turns = pacing.turns()
        self._closed = threading.Event()
        self._requests: dict[str, Requests] = {}
        self._making = threading.Lock()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="invoke")
        # Where credentials have to be looked for, that takes a third of a second: nobody waits for it.
        self._pool.submit(self._requests_of, function)

    def start(self, job: str, records: Mapping[str, Sequence[int]]) -> None:
        """Ask for one executor for each record, and return at once; see `Invoke`. Very many go through invokers."""
        shares = self._spreading.shares(job, records)
        for share in shares:
            if not self._closed.is_set():
                self._pool.submit(self._share, job, share)
        if not shares:
            self.start_directly(job, records)

    def start_directly(self, job: str, records: Mapping[str, Sequence[int]]) -> None:
        """As `start`, without the invoker function: for records that it may have failed."""
        for record, pages in records.items():
            if not self._closed.is_set():
                self._pool.submit(self._invoke, job, record, pages)

    def close(self) -> None:
        """Give up what was not asked for yet, and end the threads."""
        self._closed.set()
        self._pool.shutdown(cancel_futures=True)
        for requests in self._requests.values():
            requests.close()

    def _requests_of(self, function: str) -> Requests:
        with self._making:
            if function not in self._requests:
                self._requests[function] = Requests(InvokeApi(self._endpoint, function))
            return self._requests[function]

    def _share(self, job: str, share: Mapping[str, Sequence[int]]) -> None:
        try:
            refused: object = self._requests_of(self._spreading.function).post(invoker_event(job, share))
        except Exception as error:  # whatever it is, executors can be started without
            refused = error
        if refused is not None:
            _log.warning("no invoker for %d records of job %s; they are started directly: %s", len(share), job, refused)
            with contextlib.suppress(RuntimeError):  # closed meanwhile: the sweep of another scheduler finds them
                self.start_directly(job, share)

    def _invoke(self, job: str, record: str, pages: Sequence[int]) -> None:
        try:
            refused = self._ask(job, record, pages)
            if refused is not None:
                self._on_refused(job, refused)
        except Exception:
            # A thread of a pool has no caller to tell. The record stays, and the sweeper asks again.
            _log.exception("could not invoke an executor for record %s of job %s", record, job)

    def _ask(self, job: str, record: str, pages: Sequence[int]) -> Failure | None:
        try:
            requests = self._requests_of(self._function)
        except ClusterUnavailable as error:
            return Failure(error="ClusterUnavailable", message=f"no executor could be started: {error}")
        payload = executor_event(job, record, pages)
        pauses = pause_lengths()
        while (refused := self._post(requests, payload)) is not None:
            if self._closed.is_set():
                return None
            busy, pause = refused.code in BUSY, next(pauses, None)
            if busy and pause is None:
                _log.warning("record %s of job %s is left to the sweeper: %s", record, job, refused)
                return None
            if not refused.passes or pause is None:
                return Failure(
                    error="ClusterUnavailable",
                    message=f"no executor could be started: the function {self._function!r} cannot be invoked: "
                    f"{refused}",
                )
            if self._closed.wait(pause):
                return None
        return None

    def _post(self, requests: Requests, payload: bytes) -> Refusal | None:
        """Make a request when it is its turn."""
        while seconds := self._turns.wait():
            if self._closed.wait(seconds):
                return _CLOSED
        refused = requests.post(payload)
        self._turns.answered(refused)
        return refused


def pause_lengths() -> Iterator[float]:
    """The pauses in seconds between requests: each about twice the one before, never quite the same."""
    return (FIRST_PAUSE * 2**attempt * random.uniform(0.5, 1.0) for attempt in range(ATTEMPTS - 1))
