"""The KVS on real Redis nodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

from wukong.errors import ClusterUnavailable, ValueRefused
from wukong.kvs import keys
from wukong.kvs.buffer import allocate
from wukong.kvs.ring import Node, Ring
from wukong.kvs.store import Counters, Place, StoreFull, ValueMissing
from wukong.kvs.striping import Striping
from wukong.kvs.writer import Writer
from wukong.redis import Buffer, Gather, MissingKey, Pool, ReplyError, WrongSize

#: Keys that one round trip of a purge removes.
BATCH = 1000
_STRIPING = Striping()

#: Seconds for which a call goes on while a node is away: one that is started again is back in less.
PATIENCE = 2.0


class RedisKvs:
    """`wukong.kvs.store.Kvs` over the Redis servers of a ring's nodes.

    Args:
        ring: Decides which node holds what. Everybody who shares values must use the same one.
        password: Of every node.
        namespace: How every owner's name starts in the nodes; everybody must use the same one.
        striping: How streams are cut; everybody must use the same.
    """

    def __init__(self, ring: Ring, *, password: str, namespace: str = "", striping: Striping = _STRIPING) -> None:
        self.ring = ring
        self._namespace = namespace
        self._striping = striping
        self._pools = {node.id: Pool(node.address, password=password, patience=PATIENCE) for node in ring.nodes}

    def put(self, owner: str, name: str, token: str, stream: Sequence[Buffer], seconds: float) -> None:
        """See `Kvs.put`."""
        nbytes = sum(memoryview(piece).nbytes for piece in stream)
        writer = self.writer(owner, name, token, nbytes, seconds)
        for piece in stream:
            writer.write(piece)
        writer.close()

    def writer(self, owner: str, name: str, token: str, nbytes: int, seconds: float) -> Writer:
        """See `Kvs.writer`."""
        index = keys.index(self._namespace + owner)
        milliseconds = max(1, math.ceil(seconds * 1000))

        def store(number: int, pieces: list[memoryview]) -> None:
            key = self._stripe(owner, name, token, number)
            node = self.ring.place(key)
            stripe = Gather(pieces)
            with self._pools[node.id].connection() as connection:
                try:
                    connection.pipeline(
                        [
                            # The index first: what a purge does not know of would stay.
                            ("SADD", index, key),
                            # It lives as long as the key in it that lives longest.
                            ("PEXPIRE", index, milliseconds, "NX"),
                            ("PEXPIRE", index, milliseconds, "GT"),
                            ("SET", key, stripe, "PX", milliseconds),
                        ]
                    )
                except ReplyError as error:
                    if error.code == "OOM":
                        raise StoreFull(node.address, name, stripe.nbytes) from error
                    raise

        return Writer(f"the value {name!r} of {owner!r}", nbytes, self._striping.stripe(nbytes), store)

    def get(self, owner: str, name: str, token: str, nbytes: int) -> memoryview:
        """See `Kvs.get`."""
        return self.get_many([Place(owner, name, token, nbytes)])[0]

    def get_many(self, places: Sequence[Place]) -> list[memoryview]:
        """See `Kvs.get_many`."""
        buffers = [allocate(place.nbytes) for place in places]
        wanted: dict[Node, tuple[list[str], list[memoryview], list[Place]]] = {}
        for place, buffer in zip(places, buffers, strict=True):
            stripe = self._striping.stripe(place.nbytes)
            for number, start in enumerate(range(0, place.nbytes, stripe)):
                key = self._stripe(place.owner, place.name, place.token, number)
                names, views, owners = wanted.setdefault(self.ring.place(key), ([], [], []))
                names.append(key)
                views.append(buffer[start : start + stripe])
                owners.append(place)
        for node, (names, views, owners) in wanted.items():
            with self._pools[node.id].connection() as connection:
                try:
                    connection.read_into(names, views)
                except MissingKey as error:
                    place = owners[names.index(error.key)]
                    raise ValueMissing(place.owner, place.name) from error
                except WrongSize as error:
                    raise _refused(owners[names.index(error.key)]) from error
        return buffers

    def read(self, owner: str, name: str, token: str, nbytes: int, offset: int, length: int) -> memoryview:
        """See `Kvs.read`."""
        end = min(nbytes, offset + length)
        stripe = self._striping.stripe(nbytes)
        parts: list[bytes] = []
        while offset < end:
            number, start = divmod(offset, stripe)
            count = min(stripe - start, end - offset)
            key = self._stripe(owner, name, token, number)
            with self._pools[self.ring.place(key).id].connection() as connection:
                part = cast("bytes", connection.call("GETRANGE", key, start, start + count - 1))
            if not part:
                raise ValueMissing(owner, name)
            if len(part) != count:
                raise _refused(Place(owner, name, token, nbytes))
            parts.append(part)
            offset += count
        return memoryview(parts[0] if len(parts) == 1 else b"".join(parts))

    def prolong(self, owner: str, seconds: float) -> None:
        """See `Kvs.prolong`. A node that cannot be reached does not keep the others from doing so."""
        milliseconds = max(1, math.ceil(seconds * 1000))
        self._on_all(lambda node: self._prolong_node(node, owner, milliseconds))

    def purge(self, owner: str) -> int:
        """See `Kvs.purge`. A node that cannot be reached does not keep the others from being purged."""
        return self._on_all(lambda node: self._purge_node(node, owner))

    def counters(self) -> Counters:
        """See `Kvs.counters`. Bytes are those on the wire."""
        rows = [pool.counters() for pool in self._pools.values()]
        return Counters(
            sum(row.round_trips for row in rows),
            sum(row.bytes_received for row in rows),
            sum(row.bytes_sent for row in rows),
        )

    def close(self) -> None:
        """See `Kvs.close`."""
        for pool in self._pools.values():
            pool.close()

    def _stripe(self, owner: str, name: str, token: str, number: int) -> str:
        return keys.stripe(self._namespace + owner, name, token, number)

    def _on_all(self, work: Callable[[Node], int]) -> int:
        """The sum of what every node gives; the first error only after all had their turn."""
        total = 0
        lost: ClusterUnavailable | None = None
        for node in self.ring.nodes:
            try:
                total += work(node)
            except ClusterUnavailable as error:
                lost = lost or error
        if lost is not None:
            raise lost
        return total

    def _prolong_node(self, node: Node, owner: str, milliseconds: int) -> int:
        index = keys.index(self._namespace + owner)
        count = 0
        cursor = b"0"
        with self._pools[node.id].connection() as connection:
            # The index first: what a purge does not know of would stay.
            connection.call("PEXPIRE", index, milliseconds, "GT")
            while True:
                cursor, found = cast(
                    "tuple[bytes, list[bytes]]", connection.call("SSCAN", index, cursor, "COUNT", BATCH)
                )
                if found:
                    connection.pipeline([("PEXPIRE", key, milliseconds, "GT") for key in found])
                    count += len(found)
                if cursor == b"0":
                    return count

    def _purge_node(self, node: Node, owner: str) -> int:
        index = keys.index(self._namespace + owner)
        removed = 0
        cursor = b"0"
        with self._pools[node.id].connection() as connection:
            while True:
                # Members leave the set after their keys are gone, so that a purge that was interrupted can be
                # repeated, and what is written meanwhile stays in the set.
                cursor, found = cast(
                    "tuple[bytes, list[bytes]]", connection.call("SSCAN", index, cursor, "COUNT", BATCH)
                )
                if found:
                    replies = connection.pipeline([("UNLINK", *found), ("SREM", index, *found)])
                    removed += cast("int", replies[0])
                if cursor == b"0":
                    return removed


def _refused(place: Place) -> ValueRefused:
    return ValueRefused(
        f"the value {place.name!r} of {place.owner!r} does not have the {place.nbytes:,} bytes in the KVS that its "
        "manifest names; the store was tampered with or two writers used one token"
    )
