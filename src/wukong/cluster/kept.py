"""One child process of the user's, started again whenever it ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from wukong.cluster.restarts import Restarts
from wukong.errors import ClusterUnavailable

log = logging.getLogger(__name__)

#: The exit code of a process that says itself that another start will not help.
GAVE_UP = 70


class Child(Protocol):
    """One life of such a process."""

    def wait_ready(self) -> None:
        """Return when it does its work.

        Raises:
            ClusterUnavailable: It will not; says why.
        """

    def wait(self) -> int:
        """Wait for its end; returns its exit code."""

    def end(self) -> None:
        """Have it end in order, as far as it can."""

    def kill(self) -> None:
        """End it, with all that it started."""

    def hang_up(self) -> None:
        """Close what this process holds of it, and nothing else: all that a forked copy of the owner may do."""


class Kept:
    """Keeps one process.

    Args:
        start: Starts it and returns at once.
        gave_up: Called, in the thread that keeps it, when it is given up.

    Attributes:
        child: Its present life, the first one from the beginning.
    """

    def __init__(self, name: str, start: Callable[[], Child], gave_up: Callable[[str, str], None]) -> None:
        self.name = name
        self._start = start
        self._gave_up = gave_up
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"wukong-keeps-{name}", daemon=True)
        self.child = start()

    def keep(self) -> None:
        """From now on start the process again, in a thread that ends with `close`."""
        self._thread.start()

    def close(self) -> None:
        """End the process for good."""
        with self._lock:
            self._closed.set()
            self.child.end()

    def _keep(self) -> None:
        restarts = Restarts()
        ready: float | None = time.monotonic()
        why = "it ended"
        while True:
            code = self.child.wait()
            if self._closed.is_set():
                return
            self.child.kill()
            pause = restarts.ended(0.0 if ready is None else time.monotonic() - ready)
            if code == GAVE_UP or pause is None:
                self._gave_up(self.name, why)
                return
            log.warning("the embedded cluster's %s ended with code %s and is started again", self.name, code)
            if self._closed.wait(pause):
                return
            with self._lock:
                if self._closed.is_set():
                    return
                self.child = self._start()
            ready, why = None, "it ended"
            try:
                self.child.wait_ready()
                ready = time.monotonic()
            except ClusterUnavailable as error:
                why = str(error)
                self.child.kill()
