"""The KVS on real Redis nodes.

A stripe is written to the first of its candidates in the ring that answers and has room, and looked for on all of them
in the same order, so that a node that is gone takes no more along than what it held. Behind them come the nodes that
only the newest ring has (`wukong.kvs.nodes`). Stripes on different nodes travel at the same time.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeVar, cast

from wukong.errors import ClusterUnavailable, StoreFull, ValueRefused
from wukong.kvs import keys
from wukong.kvs.abreast import abreast
from wukong.kvs.buffer import allocate
from wukong.kvs.nodes import Nodes
from wukong.kvs.ring import Node, Ring
from wukong.kvs.store import Counters, Place, ValueMissing
from wukong.kvs.striping import Striping
from wukong.kvs.writer import Writer
from wukong.redis import Arg, Buffer, Connection, Gather, MissingKey, Reply, ReplyError, WrongSize

#: Keys that one round trip of a purge removes.
BATCH = 1000

#: Bytes from which several nodes are read from at the same time; below, a thread would cost more than it saves.
ABREAST = 1024 * 1024

_STRIPING = Striping()

_Answer = TypeVar("_Answer")


class _Stripe(NamedTuple):
    """One stripe that is wanted, and where it shall go."""

    key: str
    view: memoryview
    place: Place


class RedisKvs:
    """`wukong.kvs.store.Kvs` over the Redis servers of a ring's nodes.

    Args:
        ring: Decides which node holds what. Everybody who shares values must use the same one.
        password: Of every node.
        namespace: How every owner's name starts in the nodes; everybody must use the same one.
        striping: How streams are cut; everybody must use the same.
        newest: Tells the newest ring, for where the nodes of `ring` do not do.
        user: Whose password it is; empty for the default user.
        authority: Who vouches for the nodes (PEM); empty for nodes that speak in the clear.
    """

    def __init__(
        self,
        ring: Ring,
        *,
        password: str,
        namespace: str = "",
        striping: Striping = _STRIPING,
        newest: Callable[[], Ring | None] = lambda: None,
        user: str = "",
        authority: str = "",
    ) -> None:
        self.ring = ring
        self._namespace = namespace
        self._striping = striping
        self._nodes = Nodes(ring, password, newest, user=user, authority=authority)

    def put(self, owner: str, name: str, token: str, stream: Sequence[Buffer], seconds: float) -> None:
        """See `Kvs.put`."""
        nbytes = sum(memoryview(piece).nbytes for piece in stream)
        store = self._storing(owner, name, token, nbytes, seconds)
        lanes: dict[Node, list[Callable[[], None]]] = {}

        def plan(number: int, pieces: list[memoryview]) -> None:
            node = self._nodes.place(self._stripe(owner, name, token, number))
            lanes.setdefault(node, []).append(partial(store, number, pieces))

        writer = self._cutter(owner, name, nbytes, plan)
        for piece in stream:
            writer.write(piece)
        writer.close()
        abreast(list(lanes.values()))

    def writer(self, owner: str, name: str, token: str, nbytes: int, seconds: float) -> Writer:
        """See `Kvs.writer`."""
        return self._cutter(owner, name, nbytes, self._storing(owner, name, token, nbytes, seconds))

    def _cutter(self, owner: str, name: str, nbytes: int, store: Callable[[int, list[memoryview]], None]) -> Writer:
        return Writer(f"the value {name!r} of {owner!r}", nbytes, self._striping.stripe(nbytes), store)

    def _storing(
        self, owner: str, name: str, token: str, nbytes: int, seconds: float
    ) -> Callable[[int, list[memoryview]], None]:
        """What stores a stripe of a stream, given its number and its pieces."""
        index = keys.index(self._namespace + owner)
        milliseconds = max(1, math.ceil(seconds * 1000))

        def store(number: int, pieces: list[memoryview]) -> None:
            key = self._stripe(owner, name, token, number)
            stripe = Gather(pieces)
            commands: list[tuple[Arg, ...]] = [
                # A purge that came in between would take the key out of the index, and the stripe stay.
                ("SADD", index, key),
                # It lives as long as the key in it that lives longest.
                ("PEXPIRE", index, milliseconds, "NX"),
                ("PEXPIRE", index, milliseconds, "GT"),
                ("SET", key, stripe, "PX", milliseconds),
            ]

            full: list[StoreFull] = []

            def write(connection: Connection) -> bool:
                try:
                    _at_once(commands, connection)
                except ReplyError as error:
                    # All of it was refused. Where there was room until its end, only that tells of the memory.
                    if error.code != "OOM" and not (error.code == "EXECABORT" and "OOM" in error.text):
                        raise
                    memory = connection.call("INFO", "memory")
                    what = "an uploaded value" if owner.startswith(keys.INPUT) else name
                    full.append(self._full(connection.address, what, nbytes, cast("bytes", memory)))
                    return False
                return True

            if not self._first(key, write):
                raise full[0]

        return store

    def get(self, owner: str, name: str, token: str, nbytes: int) -> memoryview:
        """See `Kvs.get`."""
        return self.get_many([Place(owner, name, token, nbytes)])[0]

    def get_many(self, places: Sequence[Place]) -> list[memoryview]:
        """See `Kvs.get_many`."""
        buffers = [allocate(place.nbytes) for place in places]
        wanted: list[_Stripe] = []
        for place, buffer in zip(places, buffers, strict=True):
            wanted += [_Stripe(key, buffer[part], place) for key, part in self._cut(place)]
        by_node: dict[Node, list[_Stripe]] = {}
        for stripe in wanted:
            by_node.setdefault(self._nodes.place(stripe.key), []).append(stripe)
        steps = [partial(self._read_stripes, node, stripes) for node, stripes in by_node.items()]
        abreast([[step] for step in steps] if sum(map(len, buffers)) >= ABREAST else [steps])
        return buffers

    def _read_stripes(self, node: Node, stripes: list[_Stripe]) -> None:
        """Read stripes that should be on one node, and those that are not from wherever they are."""
        try:
            left = self._nodes.ask(node, partial(_fill, stripes))
        except ClusterUnavailable:
            left = stripes
        for stripe in left:
            if not self._first(stripe.key, partial(_filled, stripe)):
                raise ValueMissing(stripe.place.owner, stripe.place.name)

    def read(self, owner: str, name: str, token: str, nbytes: int, offset: int, length: int) -> memoryview:
        """See `Kvs.read`."""
        end = min(nbytes, offset + length)
        stripe = self._striping.stripe(nbytes)
        buffer = allocate(max(0, end - offset))
        done = 0
        while done < len(buffer):
            number, start = divmod(offset + done, stripe)
            part = buffer[done : done + stripe - start]
            key = self._stripe(owner, name, token, number)
            try:
                there = self._first(key, partial(_part, key, start, part))
            except WrongSize as error:
                raise _refused(Place(owner, name, token, nbytes)) from error
            if not there:
                raise ValueMissing(owner, name)
            done += len(part)
        return buffer

    def has(self, place: Place) -> bool:
        """See `Kvs.has`. One round trip for each stripe."""
        return all(self._first(key, partial(_exists, key)) for key, _ in self._cut(place))

    def prolong(self, owner: str, seconds: float) -> None:
        """See `Kvs.prolong`. A node that cannot be reached does not keep the others from doing so."""
        milliseconds = max(1, math.ceil(seconds * 1000))
        self._on_all(partial(self._prolong_node, owner, milliseconds))

    def purge(self, owner: str) -> int:
        """See `Kvs.purge`. A node that cannot be reached does not keep the others from being purged."""
        return self._on_all(partial(self._purge_node, owner))

    def free(self, places: Sequence[Place]) -> int:
        """See `Kvs.free`."""
        indices = [keys.index(self._namespace + place.owner) for place in places]
        left = [(index, key) for index, place in zip(indices, places, strict=True) for key, _ in self._cut(place)]
        count = len(left)
        for candidates in (self._nodes.candidates, self._nodes.further):
            left = self._remove(left, {key: candidates(key) for _, key in left})
        return count - len(left)

    def _remove(self, left: list[tuple[str, str]], orders: dict[str, list[Node]]) -> list[tuple[str, str]]:
        """Remove stripes, each with its owner's index, from the nodes of its order; returns those that were nowhere."""
        for rank in range(max(map(len, orders.values()), default=0)):
            by_node: dict[Node, list[tuple[str, str]]] = {}
            for item in left:
                by_node.setdefault(orders[item[1]][rank], []).append(item)
            left = []
            for node, items in by_node.items():
                try:
                    left += self._nodes.ask(node, partial(_remove, items))
                except ClusterUnavailable:
                    left += items
        return left

    def collect(self, owner: str, needed: Callable[[], Callable[[str, str], bool]]) -> int:
        """See `Kvs.collect`. A node that cannot be reached does not keep the others from it."""
        index = keys.index(self._namespace + owner)
        found: dict[Node, list[str]] = {}
        for node in self._nodes.every():
            with contextlib.suppress(ClusterUnavailable):
                members = cast("list[bytes]", self._nodes.ask(node, lambda redis: redis.call("SMEMBERS", index)))
                found[node] = [key.decode() for key in members]
        wanted = needed()
        count = 0
        for node, names in found.items():
            parts = ((key, *keys.name_and_token(self._namespace + owner, key)) for key in names)
            items = [(index, key) for key, name, token in parts if not wanted(name, token)]
            with contextlib.suppress(ClusterUnavailable):
                count += len(items) - len(self._nodes.ask(node, partial(_remove, items)))
        return count

    def counters(self) -> Counters:
        """See `Kvs.counters`. Bytes are those on the wire."""
        rows = [pool.counters() for pool in list(self._nodes.pools.values())]
        return Counters(
            sum(row.round_trips for row in rows),
            sum(row.bytes_received for row in rows),
            sum(row.bytes_sent for row in rows),
        )

    def close(self) -> None:
        """See `Kvs.close`."""
        for pool in self._nodes.pools.values():
            pool.close()

    def _cut(self, place: Place) -> Iterator[tuple[str, slice]]:
        """The keys of a stream, and what of it each holds."""
        size = self._striping.stripe(place.nbytes)
        for number, start in enumerate(range(0, place.nbytes, size)):
            yield self._stripe(place.owner, place.name, place.token, number), slice(start, start + size)

    def _stripe(self, owner: str, name: str, token: str, number: int) -> str:
        return keys.stripe(self._namespace + owner, name, token, number)

    def _full(self, address: str, name: str, nbytes: int, memory: bytes) -> StoreFull:
        """The error for a node that did not take a value, and told this of its memory."""
        node = next(node for node in self._nodes.every() if node.address == address)
        told = dict(line.partition(":")[::2] for line in memory.decode().splitlines())
        return StoreFull(node.id, address, name, nbytes, int(told["used_memory"]), int(told["maxmemory"]))

    def _on_all(self, work: Callable[[Connection], int]) -> int:
        """The sum of what every node gives; the first error only after all had their turn."""
        total = 0
        lost: ClusterUnavailable | None = None
        for node in self._nodes.every():
            try:
                total += self._nodes.ask(node, work)
            except ClusterUnavailable as error:
                lost = lost or error
        if lost is not None:
            raise lost
        return total

    def _first(self, key: str, action: Callable[[Connection], _Answer]) -> _Answer | None:
        """What `action` returns on the first of a key's candidates where that is true; None if it is so on none.

        Raises:
            ClusterUnavailable: No node answers.
        """
        lost: ClusterUnavailable | None = None
        answered = False
        for node in self._nodes.order(key):
            if answered and self._nodes.passed_over(node):
                continue
            try:
                answer = self._nodes.ask(node, action)
            except ClusterUnavailable as error:
                lost = lost or error
            else:
                if answer:
                    return answer
                answered = True
        if lost is not None and not answered:
            raise lost
        return None

    def _prolong_node(self, owner: str, milliseconds: int, connection: Connection) -> int:
        index = keys.index(self._namespace + owner)
        count = 0
        cursor = b"0"
        # The index first: what a purge does not know of would stay.
        connection.call("PEXPIRE", index, milliseconds, "GT")
        while True:
            cursor, found = cast("tuple[bytes, list[bytes]]", connection.call("SSCAN", index, cursor, "COUNT", BATCH))
            if found:
                connection.pipeline([("PEXPIRE", key, milliseconds, "GT") for key in found])
                count += len(found)
            if cursor == b"0":
                return count

    def _purge_node(self, owner: str, connection: Connection) -> int:
        index = keys.index(self._namespace + owner)
        removed = 0
        cursor = b"0"
        while True:
            # Members leave the set after their keys are gone, so that a purge that was interrupted can be
            # repeated, and what is written meanwhile stays in the set.
            cursor, found = cast("tuple[bytes, list[bytes]]", connection.call("SSCAN", index, cursor, "COUNT", BATCH))
            if found:
                replies = connection.pipeline([("UNLINK", *found), ("SREM", index, *found)])
                removed += cast("int", replies[0])
            if cursor == b"0":
                return removed


def _fill(stripes: list[_Stripe], connection: Connection) -> list[_Stripe]:
    """Read stripes from one node; returns those that are not there."""
    try:
        connection.read_into([stripe.key for stripe in stripes], [stripe.view for stripe in stripes])
    except MissingKey:
        if len(stripes) == 1:
            return stripes
        found = connection.pipeline([("EXISTS", stripe.key) for stripe in stripes])
        left = [stripe for stripe, there in zip(stripes, found, strict=True) if not there]
        return left + _fill([stripe for stripe, there in zip(stripes, found, strict=True) if there], connection)
    except WrongSize as error:
        raise _refused(next(stripe.place for stripe in stripes if stripe.key == error.key)) from error
    return []


def _at_once(commands: list[tuple[Arg, ...]], connection: Connection) -> None:
    """Have commands take effect in one step. A full node refuses all that comes so, also what would make room."""
    replies = connection.pipeline([("MULTI",), *commands, ("EXEC",)])
    for reply in cast("list[Reply]", replies[-1]):
        if isinstance(reply, ReplyError):
            raise reply


def _exists(key: str, connection: Connection) -> bool:
    return bool(connection.call("EXISTS", key))


def _remove(items: list[tuple[str, str]], connection: Connection) -> list[tuple[str, str]]:
    """Remove stripes, each with its owner's index, from one node; returns those that are not there."""
    commands: list[tuple[Arg, ...]] = []
    for index, key in items:
        commands += [("UNLINK", key), ("SREM", index, key)]
    return [item for item, there in zip(items, connection.pipeline(commands)[::2], strict=True) if not there]


def _filled(stripe: _Stripe, connection: Connection) -> bool:
    return not _fill([stripe], connection)


def _part(key: str, first: int, part: memoryview, connection: Connection) -> bool:
    try:
        connection.read_part_into(key, first, part)
    except WrongSize as error:
        if error.found:
            raise
        return False
    return True


def _refused(place: Place) -> ValueRefused:
    return ValueRefused(
        f"the value {place.name!r} of {place.owner!r} does not have the {place.nbytes:,} bytes in the KVS that its "
        "manifest names; the store was tampered with or two writers used one token"
    )
