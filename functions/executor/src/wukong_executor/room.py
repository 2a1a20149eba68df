"""Waits for room in a full KVS, since others free what they have used, and tells when there is none.

A write that is refused is tried again with growing pauses. When the time is over, what dead writers left behind and
nobody can need any more is removed. Only then is the error raised, and ends the job. The lease is renewed meanwhile, by
which a writer learns that its job was cancelled and nobody waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from wukong.errors import StoreFull
from wukong_executor.interruption import Interrupted

#: Seconds between two attempts: after the first one, and at most.
PAUSES = (0.01, 0.5)

_Answer = TypeVar("_Answer")


class Room:
    """The patience of one holder. Threads may share it.

    Args:
        seconds: How long to wait for room.
        wanted: Renews the lease; false when nobody wants what is written here any more.
        free: Removes what nobody needs; returns how many values that were.
        clock: Seconds that only grow.
        sleep: Lets seconds pass.
    """

    def __init__(
        self,
        seconds: float,
        wanted: Callable[[], bool],
        free: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._seconds = seconds
        self._wanted = wanted
        self._free = free
        self._clock = clock
        self._sleep = sleep

    def write(self, write: Callable[[], _Answer]) -> _Answer:
        """What `write` returns, called again as long as it finds the KVS full.

        Raises:
            StoreFull: It stays full.
            Interrupted: Nobody wants it any more.
        """
        try:
            return write()
        except StoreFull:
            end = self._clock() + self._seconds
        pause, freed = PAUSES[0], False
        while True:
            if not self._wanted():
                raise Interrupted
            self._sleep(pause)
            pause = min(2 * pause, PAUSES[1])
            try:
                return write()
            except StoreFull:
                if self._clock() < end:
                    continue
                if freed or not self._free():
                    raise
                freed = True
