"""The key-value store as the jobs see it: through the ring that each is pinned to."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from wukong.kvs.access import Access
from wukong.kvs.redis import RedisKvs
from wukong.kvs.ring import Ring

KEPT = 8
"""Rings whose connections are kept."""


class Stores:
    """One `RedisKvs` for each ring in use. Threads may share it.

    Args:
        access: To every node.
        newest: Tells the newest ring, for where the nodes of a job's do not do.
    """

    def __init__(self, access: Access, newest: Callable[[], Ring | None]) -> None:
        self._access = access
        self._newest = newest
        self._lock = threading.Lock()
        #: By ring version, the last used at the end.
        self._kept: OrderedDict[int, RedisKvs] = OrderedDict()

    def of(self, ring: Ring) -> RedisKvs:
        """The store of one ring."""
        with self._lock:
            kvs = self._kept.pop(ring.version, None) or self._access.store(ring, self._newest)
            self._kept[ring.version] = kvs
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)[1].close()
            return kvs

    def close(self) -> None:
        """Closes all connections."""
        with self._lock:
            for kvs in self._kept.values():
                kvs.close()
            self._kept.clear()
