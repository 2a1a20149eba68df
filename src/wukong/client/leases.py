"""Keeps uploaded values in the cluster for as long as the objects live that they were made from.

A job holds its inputs until it is released. A persisted collection is used by one job after the other, and its values
would be sent again for each; so the client holds them too, until the object is gone or the client is closed.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import Any, NamedTuple

from wukong.client.stores import Stores
from wukong.errors import WukongError


class _Lease(NamedTuple):
    """One object's hold on one uploaded value."""

    holder: str
    content: str
    #: Its callback says that the object is gone.
    object: weakref.ref[Any]


class Leases:
    """What one client holds. Any number of threads may use it.

    Args:
        stores: The stores.
        client: Unique to the client.
    """

    def __init__(self, stores: Stores, client: str) -> None:
        self._stores = stores
        self._client = client
        self._lock = threading.Lock()
        self._count = 0
        self._leases: dict[int, _Lease] = {}
        #: Holders whose objects are gone. The garbage collector may run anywhere, so it only leaves a note here.
        self._gone: deque[str] = deque()

    def keep(self, value: object, content: str, seconds: float) -> None:
        """Hold the upload of a value for at most `seconds`, if the value's life can be observed at all."""
        with self._lock:
            known = self._leases.get(id(value))
            if known is not None and known.object() is value:
                if known.content == content:
                    return
                self._gone.append(known.holder)
            holder = f"{self._client}-{self._count}"
            self._count += 1
            gone = self._gone
            try:
                observed = weakref.ref(value, lambda _: gone.append(holder))
            except TypeError:
                return
            self._leases[id(value)] = _Lease(holder, content, observed)
        self._stores.mds.hold_input(content, holder, seconds)

    def keeps(self, value: object) -> bool:
        """Whether an upload of this object is held."""
        lease = self._leases.get(id(value))
        return lease is not None and lease.object() is value

    def drop_gone(self) -> None:
        """Let go of what was made from objects that are gone."""
        with self._lock:
            holders = list(self._gone)
            self._gone.clear()
            for key in [key for key, lease in self._leases.items() if lease.object() is None]:
                del self._leases[key]
        for holder in holders:
            self._drop(holder)

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            holders = [*self._gone, *(lease.holder for lease in self._leases.values())]
            self._leases.clear()
            self._gone.clear()
        for holder in holders:
            self._drop(holder)

    def _drop(self, holder: str) -> None:
        try:
            mds, kvs = self._stores.mds, self._stores.values.kvs
            if owners := mds.drop_inputs(holder):
                for owner in owners:
                    kvs.purge(owner)
                mds.forget_inputs(holder)
        except WukongError:
            # The stores are gone or away: what they hold for nobody expires.
            return
