"""Reads the queue into which the platform puts what it knows of executors' invocations that came to nothing.

One thread, which waits in long polls of `WAIT` seconds, so that an idle queue costs three requests a minute. Each
message is handed on and then deleted; one that cannot be handled (the metadata store does not answer) comes back by
itself.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from wukong_scheduler.invocation_end import InvocationEnd, read
from wukong_scheduler.queue_api import QueueApi

#: Seconds that a poll waits for a message; the most that SQS allows.
WAIT = 20

#: Seconds after a poll that failed, at first and at most.
PAUSE, LONGEST_PAUSE = 0.5, 60.0

_log = logging.getLogger(__name__)


class FailureQueue:
    """Drains one queue."""

    def __init__(self, url: str, endpoint: str, on_end: Callable[[InvocationEnd], None]) -> None:
        """`url` is the queue's, `endpoint` that of SQS, empty for AWS's own; `on_end` is called in a thread."""
        self._url = url
        self._endpoint = endpoint
        self._on_end = on_end
        self._closed = threading.Event()
        self._handling = threading.Lock()
        # It may be in a poll when the process ends, which nothing can cut short.
        self._thread = threading.Thread(target=self._run, name="failure-queue", daemon=True)

    def start(self) -> None:
        """Drain in the background."""
        self._thread.start()

    def close(self) -> None:
        """Handle no further message. A poll that is under way ends in its own time and hands nothing on."""
        self._closed.set()
        with self._handling:
            pass

    def _run(self) -> None:
        api = None
        pause = PAUSE
        while not self._closed.is_set():
            try:
                api = api or QueueApi(self._url, self._endpoint, WAIT)
                self._poll(api)
                pause = PAUSE
            except Exception as error:
                # Whatever it is: without this queue, leases still tell that executors are gone, only later.
                if not self._closed.is_set():
                    _log.warning("the failure queue %s cannot be read, trying again: %s", self._url, error)
                self._closed.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        if api is not None:
            api.close()

    def _poll(self, api: QueueApi) -> None:
        for body, handle in api.receive():
            with self._handling:
                if self._closed.is_set():
                    return
                self._handle(body)
            api.delete(handle)

    def _handle(self, body: str) -> None:
        end = read(body)
        if end is None:
            _log.warning("a message of the failure queue tells of no executor: %.200s", body)
            return
        _log.info("record %s of job %s: an invocation %s: %s", end.record, end.job, end.ended.value, end.why)
        self._on_end(end)
