"""Which nodes are in the ring. Pure: events and the time in, a new membership out.

A membership is never changed; each event answers the next one. The shell (`ring.py`) keeps a new ring in the
metadata store before it takes the membership that has it for the present one, so that nobody ever hears of a
version that a restart would forget.

A node that is silent for `SILENCE_SECONDS` leaves the ring, unless nobody is left then: a ring has at least one
node, and when all are silent it is rather the proxy that hears nothing. When the proxy itself was stopped for a
while (a suspended machine, a starved process) every node has been silent as far as it can tell; so after a pause
between two looks all members get their time again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from wukong.kvs.ring import Node, Ring

HEARTBEAT_SECONDS = 2.0
"""The pause between the heartbeats of a node."""

SILENCE_SECONDS = 10.0
"""After this long without a heartbeat a node is given up."""

LOOK_SECONDS = 1.0
"""The pause between two looks for silent nodes."""


@dataclass(frozen=True, slots=True)
class Member:
    """A node of the ring.

    Attributes:
        node: Its name and the address of its Redis.
        agent: host:port of its agent; empty for a node that this proxy knows from the stored ring only.
        seen: When it last registered or sent a heartbeat.
    """

    node: Node
    agent: str
    seen: float


@dataclass(frozen=True, slots=True)
class Membership:
    """The newest ring, and what is known of its members. All times are seconds of one monotonic clock.

    Attributes:
        ring: The newest ring; None until the first node of all came.
        members: Each node of the ring by its id.
        looked: When silent nodes were last looked for.
    """

    ring: Ring | None
    members: Mapping[str, Member]
    looked: float

    @classmethod
    def restored(cls, ring: Ring | None, now: float) -> Membership:
        """The membership after a start: the nodes of the stored ring, if any, get their time to come back."""
        nodes = ring.nodes if ring else ()
        return cls(ring, {node.id: Member(node, "", now) for node in nodes}, now)

    def register(self, node: Node, agent: str, now: float) -> Membership:
        """A node comes, or comes back. The ring stays the same where it has the node at this address."""
        members = {**self.members, node.id: Member(node, agent, now)}
        known = self.members.get(node.id)
        if known is not None and known.node == node:
            return replace(self, members=members)
        return self._with(members)

    def knows(self, node_id: str) -> bool:
        """Whether a heartbeat of this node is enough; else it has to register."""
        member = self.members.get(node_id)
        return member is not None and member.agent != ""

    def heartbeat(self, node_id: str, now: float) -> Membership:
        """A node lives. Nothing changes for one that is not known."""
        if not self.knows(node_id):
            return self
        return replace(self, members={**self.members, node_id: replace(self.members[node_id], seen=now)})

    def look(self, now: float) -> Membership:
        """Gives up the nodes that were silent for too long."""
        if now - self.looked > SILENCE_SECONDS / 2:
            again = {name: replace(member, seen=now) for name, member in self.members.items()}
            return replace(self, members=again, looked=now)
        living = {name: member for name, member in self.members.items() if now - member.seen <= SILENCE_SECONDS}
        looked = replace(self, looked=now)
        return looked._with(living) if living and len(living) < len(self.members) else looked

    def agent(self, node_id: str) -> str:
        """The address of a node's agent; empty where it is not known."""
        member = self.members.get(node_id)
        return member.agent if member else ""

    def _with(self, members: Mapping[str, Member]) -> Membership:
        nodes = tuple(members[name].node for name in sorted(members))
        version = self.ring.version + 1 if self.ring else 1
        return replace(self, ring=Ring(version, nodes), members=members)
