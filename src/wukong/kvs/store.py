"""What the intermediate key-value store can be asked.

A value is a stream of bytes, written once under (owner, name, token) in stripes (`wukong.kvs.striping`), each a key of
its own and each on the node that the ring names. Every write carries the seconds after which it may vanish.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from wukong.errors import WukongError
from wukong.kvs.writer import Writer
from wukong.redis.command import Buffer


class Place(NamedTuple):
    """Where one stream is, and how long it is."""

    owner: str
    name: str
    token: str
    nbytes: int


class Counters(NamedTuple):
    """What a store did since it was made. `round_trips` counts each wait for one node's replies."""

    round_trips: int
    bytes_read: int
    bytes_written: int


class ValueMissing(WukongError):
    """A value, or a stripe of it, is not in the KVS: never written, expired, purged, or lost with its node.

    Attributes:
        owner: Whose value it is: a job, or an uploaded input.
        name: The name of the value.
    """

    def __init__(self, owner: str, name: str) -> None:
        super().__init__(
            f"the value {name!r} of {owner!r} is not in the KVS: it expired, was purged, or was lost with its node"
        )
        self.owner = owner
        self.name = name


class Kvs(Protocol):
    """The store of values, as executors, clients and the proxy use it. Threads may share one.

    Raises (every method): `ClusterUnavailable` when a node cannot be reached.
    """

    def put(self, owner: str, name: str, token: str, stream: Sequence[Buffer], seconds: float) -> None:
        """Write a stream; when this returns, it can be read. Nothing is copied.

        Args:
            owner: The job or the uploaded input, which can be purged as a whole.
            name: The value's name, unique for its owner.
            token: Unique to this writing.
            stream: The bytes, in pieces of any size.
            seconds: After how long the value may vanish.

        Raises:
            StoreFull: A node has no room for it.
        """

    def writer(self, owner: str, name: str, token: str, nbytes: int, seconds: float) -> Writer:
        """Write a stream of `nbytes` as it comes, holding at most one stripe. Arguments are those of `put`."""

    def get(self, owner: str, name: str, token: str, nbytes: int) -> memoryview:
        """Read a stream of `nbytes` into one new writable buffer, whose start is aligned to 64 bytes.

        Raises:
            ValueMissing: A stripe is not there.
            ValueRefused: The stored stream has another length.
        """

    def get_many(self, places: Sequence[Place]) -> list[memoryview]:
        """Read several streams, each into a buffer of its own as `get` does, in one round trip to each node."""

    def read(self, owner: str, name: str, token: str, nbytes: int, offset: int, length: int) -> memoryview:
        """Read `length` bytes from `offset` on, fewer at the end, of a stream of `nbytes`. Errors as in `get`."""

    def has(self, place: Place) -> bool:
        """Whether all of a stream is there, as far as nodes answer."""

    def prolong(self, owner: str, seconds: float) -> None:
        """Let nothing that an owner has vanish for that many seconds from now on."""

    def purge(self, owner: str) -> int:
        """Remove everything of an owner from all nodes; returns how many keys that were."""

    def free(self, places: Sequence[Place]) -> int:
        """Remove streams that nobody reads any more; returns how many stripes were there.

        On a node that cannot be reached they stay until they vanish by themselves.
        """

    def collect(self, owner: str, needed: Callable[[], Callable[[str, str], bool]]) -> int:
        """Remove what an owner has and nobody needs; returns how many stripes that were.

        Args:
            owner: The owner.
            needed: Called when it is known what there is; returns whether a stream is needed, by name and token.
        """

    def counters(self) -> Counters:
        """What was done since the store was made."""

    def close(self) -> None:
        """Give up connections. The store can still be used and makes new ones."""
