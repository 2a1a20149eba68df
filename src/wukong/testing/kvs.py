"""The KVS in memory, for tests and simulations: the same promises as on real nodes, with no process behind it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from wukong.errors import ValueRefused
from wukong.kvs import keys
from wukong.kvs.buffer import allocate
from wukong.kvs.store import Counters, Place, ValueMissing
from wukong.kvs.striping import STRIPE
from wukong.kvs.writer import Writer
from wukong.redis import Buffer


class MemoryKvs:
    """`wukong.kvs.store.Kvs` in a dictionary.

    Args:
        clock: Seconds that only grow; values expire by it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        #: Key → its bytes, and when they vanish.
        self._stripes: dict[str, tuple[bytes, float]] = {}
        #: Owner → its keys.
        self._index: dict[str, set[str]] = {}
        self._counters = Counters(0, 0, 0)

    def put(self, owner: str, name: str, token: str, stream: Sequence[Buffer], seconds: float) -> None:
        """See `Kvs.put`."""
        nbytes = sum(memoryview(piece).nbytes for piece in stream)
        writer = self.writer(owner, name, token, nbytes, seconds)
        for piece in stream:
            writer.write(piece)
        writer.close()

    def writer(self, owner: str, name: str, token: str, nbytes: int, seconds: float) -> Writer:
        """See `Kvs.writer`."""

        def store(number: int, pieces: list[memoryview]) -> None:
            key = keys.stripe(owner, name, token, number)
            data = b"".join(pieces)
            with self._lock:
                self._stripes[key] = data, self._clock() + seconds
                self._index.setdefault(owner, set()).add(key)
                self._count(0, len(data))

        return Writer(f"the value {name!r} of {owner!r}", nbytes, STRIPE, store)

    def get(self, owner: str, name: str, token: str, nbytes: int) -> memoryview:
        """See `Kvs.get`."""
        return self.get_many([Place(owner, name, token, nbytes)])[0]

    def get_many(self, places: Sequence[Place]) -> list[memoryview]:
        """See `Kvs.get_many`."""
        with self._lock:
            streams = [self._stream(place) for place in places]
            if any(place.nbytes for place in places):
                self._count(sum(map(len, streams)), 0)
        return streams

    def read(self, owner: str, name: str, token: str, nbytes: int, offset: int, length: int) -> memoryview:
        """See `Kvs.read`."""
        place = Place(owner, name, token, nbytes)
        end = min(nbytes, offset + length)
        part = bytearray()
        with self._lock:
            while offset < end:
                number, start = divmod(offset, STRIPE)
                piece = self._stripe(place, number)[start : start + end - offset]
                part += piece
                offset += len(piece)
                self._count(len(piece), 0)
        return memoryview(part)

    def has(self, place: Place) -> bool:
        """See `Kvs.has`."""
        count = -(-place.nbytes // STRIPE)
        names = [keys.stripe(place.owner, place.name, place.token, number) for number in range(count)]
        with self._lock:
            self._count(0, 0)
            return all(self._stripes.get(name, (b"", -math.inf))[1] > self._clock() for name in names)

    def prolong(self, owner: str, seconds: float) -> None:
        """See `Kvs.prolong`."""
        with self._lock:
            now = self._clock()
            for key in self._index.get(owner, ()):
                data, until = self._stripes[key]
                if until > now:
                    self._stripes[key] = data, max(until, now + seconds)
            self._count(0, 0)

    def purge(self, owner: str) -> int:
        """See `Kvs.purge`."""
        with self._lock:
            now = self._clock()
            found = self._index.pop(owner, set())
            self._count(0, 0)
            return sum(self._stripes.pop(key)[1] > now for key in found)

    def free(self, places: Sequence[Place]) -> int:
        """See `Kvs.free`."""
        return sum(self.collect(place.owner, partial(_all_but, place)) for place in places)

    def collect(self, owner: str, needed: Callable[[], Callable[[str, str], bool]]) -> int:
        """See `Kvs.collect`."""
        with self._lock:
            found = list(self._index.get(owner, ()))
        wanted = needed()
        doomed = {key for key in found if not wanted(*keys.name_and_token(owner, key))}
        with self._lock:
            now = self._clock()
            self._index.get(owner, set()).difference_update(doomed)
            self._count(0, 0)
            return sum(self._stripes.pop(key)[1] > now for key in doomed if key in self._stripes)

    def counters(self) -> Counters:
        """See `Kvs.counters`. Bytes are those of the values."""
        return self._counters

    def close(self) -> None:
        """See `Kvs.close`; there is nothing to give up."""

    def keys(self) -> list[str]:
        """All keys that have not expired, for tests that look for what was left behind."""
        now = self._clock()
        return sorted(key for key, (_, until) in self._stripes.items() if until > now)

    def _stream(self, place: Place) -> memoryview:
        stream = allocate(place.nbytes)
        for number, start in enumerate(range(0, place.nbytes, STRIPE)):
            stream[start : start + STRIPE] = self._stripe(place, number)
        return stream

    def _stripe(self, place: Place, number: int) -> bytes:
        key = keys.stripe(place.owner, place.name, place.token, number)
        data, until = self._stripes.get(key, (b"", -math.inf))
        if until <= self._clock():
            raise ValueMissing(place.owner, place.name)
        if len(data) != min(STRIPE, place.nbytes - number * STRIPE):
            raise ValueRefused(f"the value {place.name!r} of {place.owner!r} has another length than it should")
        return data

    def _count(self, read: int, written: int) -> None:
        old = self._counters
        self._counters = Counters(old.round_trips + 1, old.bytes_read + read, old.bytes_written + written)


def _all_but(place: Place) -> Callable[[str, str], bool]:
    return lambda name, token: (name, token) != (place.name, place.token)
