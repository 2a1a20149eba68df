"""Asks the nodes of the ring whether they are there, and how much is in them. Blocks."""

from __future__ import annotations

import re
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from wukong.errors import WukongError
from wukong.kvs.access import Access
from wukong.kvs.ring import Node, Ring
from wukong.redis.pool import Pool

#: Seconds that a node may take; they are all close by. One that is gone answers nothing at all.
PATIENCE = 1.0

#: Nodes that are asked at once.
_AT_ONCE = 16

_KEYS = re.compile(rb"keys=(\d+)")


class RollCall:
    """Keeps a connection to each node of the ring.

    Args:
        access: To the nodes.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._pools: dict[str, Pool] = {}

    def of(self, ring: Ring | None, leaving: Collection[str]) -> tuple[int, int, int]:
        """How many nodes answer, how many do not, and how many keys the first hold together.

        Args:
            ring: Whom to ask.
            leaving: Ids of those that count as silent, whatever they say.
        """
        nodes = ring.nodes if ring is not None else ()
        asked = [node for node in nodes if node.id not in leaving]
        self._keep({node.address for node in asked})
        if not asked:
            return 0, len(nodes), 0
        with ThreadPoolExecutor(min(_AT_ONCE, len(asked)), thread_name_prefix="roll-call") as pool:
            keys = [count for count in pool.map(self._keys, asked) if count is not None]
        return len(keys), len(nodes) - len(keys), sum(keys)

    def close(self) -> None:
        """End the connections."""
        self._keep(set())

    def _keep(self, addresses: set[str]) -> None:
        for gone in self._pools.keys() - addresses:
            self._pools.pop(gone).close()
        for address in addresses - self._pools.keys():
            self._pools[address] = Pool(
                address,
                password=self._access.password,
                user=self._access.user,
                authority=self._access.authority,
                timeout=PATIENCE,
                size=1,
            )

    def _keys(self, node: Node) -> int | None:
        """Keys in a node; None where it does not answer."""
        try:
            with self._pools[node.address].connection() as redis:
                answer = redis.call("INFO", "keyspace")
        except WukongError:
            return None
        return sum(map(int, _KEYS.findall(answer))) if isinstance(answer, bytes) else 0
