"""Which node holds a key: rendezvous hashing over the nodes of one version of the KVS membership.

Each node has a weight for each key, a hash of both, and the node with the highest weight holds the key. So every
key has its own order of nodes to fall back on, keys spread evenly, and a node that comes or goes moves only its
own share. Source: Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996.

That is so for the first stripe of a stream. The next ones go to the next nodes in its order, in turn: so the stripes of
one stream, which travel at the same time, are as evenly spread as their number allows, where chance would give one node
of four half of four stripes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b

from wukong.kvs.keys import first_stripe


@dataclass(frozen=True)
class Node:
    """One KVS node. Its id decides which keys it holds, so a node keeps it when its address changes.

    Attributes:
        id: The name of the node.
        address: "host:port" of its Redis.
    """

    id: str
    address: str


@dataclass(frozen=True)
class Ring:
    """The nodes of the KVS at one version. Jobs are pinned to the ring that they were submitted under.

    Attributes:
        version: Grows with every change of the membership.
        nodes: The members, at least one, with distinct ids.
    """

    version: int
    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        if not self.nodes:
            raise ValueError("a ring needs at least one KVS node")
        if len({node.id for node in self.nodes}) != len(self.nodes):
            raise ValueError(f"two KVS nodes have one id: {sorted(node.id for node in self.nodes)}")

    def candidates(self, key: str) -> list[Node]:
        """All nodes, in the order in which they should hold the stripe `key`."""
        first, number = first_stripe(key)
        order = sorted(self.nodes, key=lambda node: (_weight(node, first), node.id), reverse=True)
        turn = number % len(order)
        return order[turn:] + order[:turn]

    def place(self, key: str) -> Node:
        """The node that should hold `key`: the first of its candidates."""
        if len(self.nodes) == 1:
            return self.nodes[0]
        first, number = first_stripe(key)
        if number:
            return self.candidates(key)[0]
        return max(self.nodes, key=lambda node: (_weight(node, first), node.id))

    def to_json(self) -> str:
        """The ring as text."""
        nodes = [{"id": node.id, "address": node.address} for node in self.nodes]
        return json.dumps({"version": self.version, "nodes": nodes})

    @classmethod
    def from_json(cls, text: str | bytes) -> Ring:
        """The ring that `to_json` wrote."""
        fields = json.loads(text)
        return cls(fields["version"], tuple(Node(node["id"], node["address"]) for node in fields["nodes"]))


def _weight(node: Node, key: str) -> bytes:
    return blake2b(key.encode(), key=blake2b(node.id.encode(), digest_size=32).digest(), digest_size=8).digest()
