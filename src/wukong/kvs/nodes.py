"""The nodes of a ring as one process sees them: who answers, and who is passed over for a while.

A node that is away is waited for, for a moment: one that is started again is back by then. If it is not, or does not
answer twice in a row, it is *passed over*: others are asked instead, and it only where nobody else answers, until a few
seconds later. So a node that is gone costs little, and one that comes back is found again.

A job stays with the ring that it was submitted under. Where none of its nodes takes a value, or has one, the *further*
nodes are asked, which only the newest ring has: others that came since, and the same ones under other addresses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from wukong.errors import ClusterUnavailable
from wukong.kvs.ring import Node, Ring
from wukong.redis import Connection, ConnectionLost, Pool

#: Seconds to wait for a node, and for each next byte from it, before others are asked.
TIMEOUT: Final = 5.0

#: Seconds for which a node that is away is waited for, and the pauses between attempts: the first and the longest.
PATIENCE: Final = 2.0
PAUSES: Final = (0.01, 0.2)

#: Seconds for which a node that did not answer is passed over.
PASSED_OVER: Final = 10.0

#: Seconds after which the newest ring is asked for again.
FRESH: Final = 1.0

_Answer = TypeVar("_Answer")


class Nodes:
    """Connections to the nodes of a ring. Threads may share one.

    Args:
        ring: The nodes, and the order of candidates for each key.
        password: Of every node.
        newest: Tells the newest ring, None before there is one. Without it there are no further nodes.
        clock: Seconds that only grow.
        sleep: Lets seconds pass.
        user: Whose password it is; empty for the default user.
        authority: Who vouches for the nodes (PEM); empty for nodes that speak in the clear.
    """

    def __init__(
        self,
        ring: Ring,
        password: str,
        newest: Callable[[], Ring | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        user: str = "",
        authority: str = "",
    ) -> None:
        self._ring = ring
        self._clock = clock
        self._sleep = sleep
        self._user, self._password, self._authority = user, password, authority
        self._newest = newest
        self._newest_asked = -math.inf
        self._further: Ring | None = None
        self.pools = {node: self._pool(node) for node in ring.nodes}
        #: A node that did not answer the last time -> when it is asked again.
        self._silent: dict[Node, float] = {}

    def passed_over(self, node: Node) -> bool:
        """Whether others are asked instead of this node, for now."""
        return self._silent.get(node, 0.0) > self._clock()

    def every(self) -> list[Node]:
        """The nodes of the ring, and the further ones."""
        further = self._found_further()
        return [*self._ring.nodes, *(further.nodes if further else ())]

    def order(self, key: str) -> Iterator[Node]:
        """All nodes in the order in which they should hold a key; the further ones are found when it comes to them."""
        yield from self.candidates(key)
        yield from self.further(key)

    def further(self, key: str) -> list[Node]:
        """The further nodes in the order in which they should hold a key."""
        further = self._found_further()
        return sorted(further.candidates(key), key=self.passed_over) if further else []

    def place(self, key: str) -> Node:
        """The first of a key's candidates."""
        return self.candidates(key)[0] if self._silent else self._ring.place(key)

    def candidates(self, key: str) -> list[Node]:
        """The ring's nodes in the order in which they should hold a key, the ones that are passed over at the end."""
        candidates = self._ring.candidates(key)
        return sorted(candidates, key=self.passed_over) if self._silent else candidates

    def ask(self, node: Node, action: Callable[[Connection], _Answer]) -> _Answer:
        """What `action` returns, made again while the node may only have been started again.

        Raises:
            ClusterUnavailable: The node does not answer. It is passed over from now on.
        """
        # There is nobody to ask instead of the only node, and no sense in waiting for one that was waited for.
        patient = node not in self._silent or len(self.pools) == 1
        end = self._clock() + PATIENCE
        pause, silences = 0.0, 0
        while True:
            try:
                with self.pools[node].connection() as connection:
                    answer = action(connection)
            except ClusterUnavailable as error:
                if not isinstance(error, ConnectionLost):
                    silences += 1
                    end = self._clock() + PATIENCE
                if not patient or silences > 1 or self._clock() + pause >= end:
                    self._silent[node] = self._clock() + PASSED_OVER
                    raise
            else:
                self._silent.pop(node, None)
                return answer
            self._sleep(pause)
            pause = min(max(2 * pause, PAUSES[0]), PAUSES[1])

    def _found_further(self) -> Ring | None:
        """The further nodes, as a ring of their own."""
        if self._clock() >= self._newest_asked + FRESH:
            ring, known = self._newest(), {node.address for node in self._ring.nodes}
            nodes = tuple(node for node in ring.nodes if node.address not in known) if ring is not None else ()
            for node in nodes:
                if node not in self.pools:
                    self.pools.setdefault(node, self._pool(node))  # another thread may be as far
            self._further = Ring(ring.version, nodes) if ring is not None and nodes else None
            self._newest_asked = self._clock()
        return self._further

    def _pool(self, node: Node) -> Pool:
        return Pool(node.address, password=self._password, timeout=TIMEOUT, user=self._user, authority=self._authority)
