"""A model of the KVS and of marks: values are plain tokens, nodes hold them and can vanish.

A mark is readable text: `I` carries the value itself, `S` names what is stored, `G` a value in a bundle. A large value
is written as several stripes, each with a message and on a node of its own. What two executors write for one task may
differ, as pickles do, though the values are equal: so the stripes of one value have to be those of one writer.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, NamedTuple, TypeAlias

from wukong.errors import WukongError
from wukong.kvs.keys import INPUT
from wukong.kvs.store import ValueMissing
from wukong.testing.simulation.graph import Value

#: Bytes of one stripe.
STRIPE_BYTES = 60_000

#: A key of a node: owner, name, token and stripe.
Key: TypeAlias = tuple[str, str, str, int]


class Kept(NamedTuple):
    """One key of a node."""

    values: dict[str, Value]
    writer: str
    written: float
    until: float


class Left(NamedTuple):
    """A key that is still there; `late` if it was written after its owner was purged."""

    owner: str
    name: str
    token: str
    late: bool


class Intruded(WukongError):
    """A job reached for a value that is not its own, or for one that two writers have mixed."""


def stored(mark: bytes, job: str) -> tuple[bytes, int] | None:
    """What `wukong.testing.mds_values.Stored` says of the marks here. All values are equally large."""
    if not mark:
        return None
    kind, owner, *rest = mark.decode().split("|")
    return (f"S|{owner}|{rest[0]}|{rest[1]}".encode(), 1) if kind != "I" and owner == job else None


class Nodes:
    """The nodes of the KVS."""

    def __init__(self, count: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._nodes: list[dict[Key, Kept]] = [{} for _ in range(count)]
        #: When each owner was purged last, by node.
        self._purged: dict[tuple[str, int], float] = {}
        self._lost: set[Key] = set()
        self._freed: set[Key] = set()
        #: How many stripes were written of a value.
        self._stripes: dict[tuple[str, str, str], int] = {}

    @staticmethod
    def key(owner: str, name: str, token: str, stripe: int) -> Key:
        """The key of one stripe."""
        return owner, name, token, stripe

    def put(self, owner: str, name: str, token: str, values: dict[str, Value], seconds: float, stripe: int = 0) -> None:
        """Write one stripe."""
        now = self._clock()
        key = self.key(owner, name, token, stripe)
        self._node(key)[key] = Kept(values, token, now, now + seconds)
        self._stripes[owner, name, token] = max(stripe + 1, self._stripes.get((owner, name, token), 0))

    def get(self, reader: str, of: bytes, name: str) -> Value:
        """The value that a mark stands for.

        Raises:
            Intruded: It is another job's, or another task's.
            ValueMissing: It is not there.
        """
        kind, *fields = of.decode().split("|")
        owner, named, *rest = fields
        if owner != reader and not owner.startswith(INPUT):
            raise Intruded(f"job {reader} reads the mark {of.decode()}")
        if kind == "I":
            if named != name:
                raise Intruded(f"the value {name!r} of job {reader} is to be read from the mark {of.decode()}")
            return Value(int(rest[0]), int(rest[1]))
        inside = rest[1] if kind == "G" else named
        if inside != name and not owner.startswith(INPUT):
            raise Intruded(f"the value {name!r} of job {reader} is to be read from the mark {of.decode()}")
        for key in self._keys(kind, owner, named, rest):
            stripe = self._stripe(key, of, rest[0], inside)
        return stripe

    def _stripe(self, key: Key, of: bytes, writer: str, inside: str) -> Value:
        kept = self._node(key).get(key)
        if kept is None or kept.until <= self._clock():
            raise ValueMissing(key[0], inside)
        if kept.writer != writer:
            raise Intruded(f"stripe {key[-1]} of {of.decode()} is what {kept.writer} has written")
        return kept.values[inside]

    def readable(self, of: bytes) -> bool:
        """Whether the value that a mark stands for can be read now."""
        kind, owner, named, *rest = of.decode().split("|")
        return kind == "I" or all(key in self._node(key) for key in self._keys(kind, owner, named, rest))

    def purge(self, owner: str, node: int) -> None:
        """Remove an owner's keys from one node."""
        self._purged[owner, node] = self._clock()
        kept = self._nodes[node]
        purged = [key for key in kept if key[0] == owner]
        self._lost.update(purged)  # a job whose release was forgotten misses them
        for key in purged:
            del kept[key]

    def free(self, owner: str, values: Sequence[bytes]) -> None:
        """Remove what `stored` told of."""
        for value in values:
            _, named, name, token = value.decode().split("|")
            assert named == owner
            for stripe in range(self._stripes.pop((owner, name, token), 0)):
                key = self.key(owner, name, token, stripe)
                if self._node(key).pop(key, None) is not None:
                    self._freed.add(key)

    def lose(self, node: int) -> None:
        """A node vanishes with its data; an empty one takes its place."""
        self._lost.update(self._nodes[node])
        self._nodes[node].clear()

    def lost(self, of: bytes) -> bool:
        """Whether the value that a mark stands for vanished with a node, or with its owner, or a part of it."""
        kind, owner, named, *rest = of.decode().split("|")
        return kind != "I" and any(key in self._lost for key in self._keys(kind, owner, named, rest))

    def freed(self, of: bytes) -> bool:
        """Whether the value that a mark stands for was freed, or a part of it."""
        kind, owner, named, *rest = of.decode().split("|")
        return kind != "I" and any(key in self._freed for key in self._keys(kind, owner, named, rest))

    def left(self) -> list[Left]:
        """All keys that have not expired."""
        now = self._clock()
        return [
            Left(*key[:3], late=kept.written > self._purged.get((key[0], number), inf))
            for number, node in enumerate(self._nodes)
            for key, kept in node.items()
            if kept.until > now
        ]

    def __len__(self) -> int:
        return len(self._nodes)

    def _keys(self, kind: str, owner: str, named: str, rest: Sequence[str]) -> list[Key]:
        """The keys of the stripes of what is stored; a bundle is one."""
        count = stripes(int(rest[-1])) if kind == "S" else 1
        return [self.key(owner, named, rest[0], stripe) for stripe in range(count)]

    def _node(self, key: Key) -> dict[Key, Kept]:
        return self._nodes[zlib.crc32("{}:{}:{}:{}".format(*key).encode()) % len(self._nodes)]


def stripes(nbytes: int) -> int:
    """In how many stripes a value is written."""
    return max(1, -(-nbytes // STRIPE_BYTES))


class SimulatedValues:
    """What an executor's memory uses of `wukong.values.values.Values`.

    Args:
        nodes: The KVS.
        reader: The job of the executor.
        ask: Makes a call of the effect that it is given and returns the answer; the name is for the trace.
    """

    def __init__(self, nodes: Nodes, reader: str, ask: Callable[[str, Callable[[], Any]], Any]) -> None:
        self._nodes = nodes
        self._reader = reader
        self._ask = ask

    def pack(self, value: Value) -> Value:
        """A value is its own packed form."""
        return value

    def inline(self, owner: str, name: str, packed: Value) -> bytes:
        """The mark that carries the value itself."""
        return f"I|{owner}|{name}|{packed.number}|{packed.nbytes}".encode()

    def store(self, owner: str, name: str, packed: Value, token: str, seconds: float) -> bytes:
        """Write a value; returns the mark that says where it is."""
        for stripe in range(stripes(packed.nbytes)):
            self._put(owner, name, packed, token, seconds, stripe)
        return f"S|{owner}|{name}|{token}|{packed.nbytes}".encode()

    def _put(self, owner: str, name: str, packed: Value, token: str, seconds: float, stripe: int) -> None:
        self._ask(f"put {name}", lambda: self._nodes.put(owner, name, token, {name: packed}, seconds, stripe))

    def store_apart(self, owner: str, name: str, packed: Value, token: str, seconds: float) -> bytes:
        """The same: no mark holds a value here that was to be written."""
        return self.store(owner, name, packed, token, seconds)

    def bundle(
        self, owner: str, items: Sequence[tuple[str, Value]], token: str, seconds: float, apart: bool = False
    ) -> list[bytes]:
        """Write several values as one; returns a mark for each."""
        named = f"bundle-{items[0][0]}"
        values = dict(items)
        self._ask(f"put {named}", lambda: self._nodes.put(owner, named, token, values, seconds))
        return [f"G|{owner}|{named}|{token}|{name}|{packed.nbytes}".encode() for name, packed in items]

    def load_many(self, items: Sequence[tuple[str, str, bytes]]) -> list[Value]:
        """The values of several (owner, name, mark)."""
        if not items:
            return []
        return self._ask(  # type: ignore[no-any-return]
            f"get {' '.join(name for _, name, _ in items)}",
            lambda: [self._nodes.get(self._reader, of, name) for _, name, of in items],
        )

    def nbytes(self, of: bytes) -> int:
        """The bytes of the value that a mark stands for."""
        return int(of.rpartition(b"|")[2])
