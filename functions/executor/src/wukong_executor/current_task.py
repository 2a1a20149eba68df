"""Which task an executor runs, and what the metadata store is told of it.

If the executor dies, the scheduler counts that death against the task that was told last. A first holder tells it with
its reports only, which are late by a beat; later ones, whose record has seen a death, announce each step before it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace

from wukong.graph.name import name
from wukong.mds.store import Status, Sync, Synced
from wukong_executor.lease import Lease


class CurrentTask:
    """The main thread says what runs; both threads tell the store.

    Args:
        lease: Through which the store is told.
        keys: Tasks' keys, as far as their pages are here.
        announces: Whether each step is announced.
        memory_limit: Of the environment, in bytes.

    Attributes:
        running: The task that runs and the clock's time when it began; -1 and the time since when none runs.
    """

    def __init__(self, lease: Lease, keys: Mapping[int, object], announces: bool, memory_limit: int) -> None:
        self.running: tuple[int, float] = (-1, 0.0)
        self._lease = lease
        self._keys = keys
        self._announces = announces
        self._memory_limit = memory_limit
        self._announced = -1, ""
        self._saying = threading.Lock()  # so that the store hears last of the task that is current

    def name(self, task: int) -> str:
        """A task's key for the user, which is its number before its page is here; empty for -1."""
        return name(self._keys.get(task, task)) if task >= 0 else ""

    def is_announced(self, task: int) -> bool:
        """Whether the store knows already that the next step is for this task."""
        return (task, self.name(task)) == self._announced

    def announce(self, task: int, memory: int) -> Status:
        """Tell for which task the next step is, or -1, and how many bytes are resident."""
        key = self.name(task)
        words = Sync(current=task, current_key=key, memory=memory, memory_limit=self._memory_limit)
        with self._saying:
            self._announced = task, key
            return self._lease.sync(words).status

    def tell(self, call: Sync) -> Synced:
        """Make a call that says what runs now: what was announced, where that counts."""
        with self._saying:
            current = self._announced[0] if self._announces else self.running[0]
            told = replace(call, current=current, current_key=self.name(current), memory_limit=self._memory_limit)
            return self._lease.sync(told)
