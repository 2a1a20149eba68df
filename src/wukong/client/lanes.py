"""Runs what futures wait for in the background: first come, first served, a bounded number at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

#: Jobs of futures that one client follows at once; further ones wait for their turn.
_LANES = 32


class Lanes:
    """Daemon threads that come when there is work and go when there is none.

    Work may wait for work that was put in before: the oldest of what is not finished always has a thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], None]] = deque()
        self._threads = 0

    def put(self, work: Callable[[], None]) -> None:
        """Run `work`, which raises nothing, soon."""
        with self._lock:
            self._waiting.append(work)
            if self._threads >= _LANES:
                return
            self._threads += 1
        threading.Thread(target=self._run, name="wukong-future", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                work = self._waiting.popleft()
            work()
            del work  # and the futures that it holds
