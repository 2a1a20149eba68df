"""The ring as the metadata store has it, remembered for a moment so that a submission need not ask."""

from __future__ import annotations

import time

from wukong.kvs.ring import Ring
from wukong.mds.store import Mds

#: Seconds after which the newest ring is asked for again.
FRESH = 1.0


class Rings:
    """The newest ring, and older ones that jobs are pinned to."""

    def __init__(self, mds: Mds) -> None:
        self._mds = mds
        self._newest: Ring | None = None
        self._asked = float("-inf")

    def newest(self, fresh: float = FRESH) -> Ring | None:
        """The newest ring, at most `fresh` seconds old; None before any node registered."""
        now = time.monotonic()
        if self._newest is None or now - self._asked > fresh:
            self._newest = self._mds.newest_ring()
            self._asked = now
        return self._newest

    def pinned(self, version: int) -> Ring | None:
        """One version of the ring; None if it is forgotten."""
        newest = self.newest()
        if newest is not None and newest.version == version:
            return newest
        return self._mds.ring(version)
