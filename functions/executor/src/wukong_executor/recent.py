"""Values that were stored and dropped a moment ago, in case a task that needs them comes here after all.

A fan-in that others may complete can still be claimed here, and its inputs would then be read back from the KVS. As
long as there is memory, they are kept instead; the oldest go first.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

#: What an object and its entry here take beside its bytes, about.
ENTRY_BYTES = 256


class Recent:
    """Task -> value of at most `limit` bytes in all, entries included."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[int, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def keep(self, task: int, value: Any, nbytes: int) -> None:
        """Keep a value that can be read from the KVS."""
        nbytes += ENTRY_BYTES
        if nbytes > self._limit or task in self._values:
            return
        self._values[task] = (value, nbytes)
        self._bytes += nbytes
        while self._bytes > self._limit:
            _, (_, oldest) = self._values.popitem(last=False)
            self._bytes -= oldest

    def take(self, task: int) -> tuple[Any, int] | None:
        """A kept value and its size; it is in use again, so it is not kept any more."""
        found = self._values.pop(task, None)
        if found is not None:
            value, nbytes = found
            self._bytes -= nbytes
            return value, nbytes - ENTRY_BYTES
        return None
