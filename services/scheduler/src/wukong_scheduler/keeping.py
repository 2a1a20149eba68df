"""Remembers which jobs somebody still needs.

It is kept in memory only: after a restart every job counts as needed once more, so clients have time to say so again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from wukong.mds.job_id import is_job_id


class Keeping:
    """When each job was last asked to be kept. Any number of threads may use it.

    Args:
        seconds: How long a job is kept after that.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._started = time.time()
        self._asked: dict[str, float] = {}

    def keep(self, jobs: Iterable[str]) -> None:
        """Somebody still needs these jobs."""
        now = time.time()
        with self._lock:
            self._asked = {job: asked for job, asked in self._asked.items() if asked + self.seconds > now}
            self._asked.update((job, now) for job in jobs if is_job_id(job))

    def asked(self, job: str) -> float:
        """Unix seconds of the last time that somebody needed a job, as far as is known."""
        with self._lock:
            return self._asked.get(job, self._started)
