"""How many nodes the key-value store shall have. Pure: what was seen and the time in, what to do out.

Theory of operation
-------------------
Nodes are added when a job or a user asks for more than there are. They are taken away only where nothing is in them:
a value that goes with its node is computed again, which costs more than the node. So fewer nodes are an order of a
user's, refused while anything is in use; or none at all, after nothing was in use for a while, where the operator wants
that. In use is: a job that was not removed (it runs, or somebody may still read its results or compute with values
that it keeps), and any key in any node (an upload for a job to come, for one).

The ring keeps its last nodes when they go, since a ring without nodes is none. So nodes count as there when they are in
the ring *and* answer, and those that were just told to end do not count, even as long as they answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wukong import settings
from wukong.errors import LimitExceeded, WukongError


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the operator allows.

    Attributes:
        usual: Nodes for a job that asks for none.
        most: The most that may be asked for.
        start_seconds: Seconds until nodes that were asked for must be there.
        idle_seconds: Seconds without use after which there are none; 0 for never.
    """

    usual: int = 1
    most: int = 16
    start_seconds: float = 300.0
    idle_seconds: float = 0.0

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Sizes:
        """What the environment says.

        Raises:
            InvalidSetting: A number is none, or too small.
        """
        return cls(
            usual=settings.KVS_NODES.whole(environ, 1),
            most=settings.KVS_MAX_NODES.whole(environ, 1),
            start_seconds=settings.KVS_START_SECONDS.seconds(environ),
            idle_seconds=float(settings.KVS_IDLE_SECONDS.whole(environ)),
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at the key-value store found.

    Attributes:
        answering: Nodes of the ring that answer, without those that were told to end.
        silent: The ring's others.
        keys: Keys that the answering ones hold together.
        jobs: Jobs that were not removed.
    """

    answering: int
    silent: int
    keys: int = 0
    jobs: int = 0

    @property
    def used(self) -> bool:
        """Whether anything would be lost with the nodes."""
        return bool(self.jobs or self.keys)


class Scaling:
    """Decides.

    Args:
        sizes: What the operator allows.
        now: The time, in seconds of a steady clock, as in all methods.
    """

    def __init__(self, sizes: Sizes, now: float) -> None:
        self._sizes = sizes
        #: When the nodes were last in use or asked for, as far as is known.
        self._used = now

    def check(self, asked: int) -> None:
        """Refuse to have so many nodes.

        Raises:
            LimitExceeded: They are too many.
        """
        if asked > self._sizes.most:
            advice = "Ask for fewer; operators allow more with WUKONG_KVS_MAX_NODES."
            raise LimitExceeded("kvs_nodes", asked, self._sizes.most, advice)

    def touch(self, now: float) -> None:
        """Somebody asks for nodes, and will use them."""
        self._used = now

    def enough(self, asked: int, seen: Seen) -> bool:
        """Whether a job that asks for so many nodes, 0 for none in particular, can begin with those that there are."""
        return seen.answering >= max(1, asked)

    def growth(self, asked: int, wanted: int) -> int:
        """How many nodes there shall be for such a job: as many as until now, or more.

        Args:
            asked: As above.
            wanted: How many there shall be until now.
        """
        return max(wanted, asked) or min(self._sizes.usual, self._sizes.most)

    def settled(self, wanted: int, seen: Seen) -> bool:
        """Whether all nodes have come that were waited for.

        Those that went before are in the ring until it has others, and a job would be pinned to them.
        """
        return seen.answering >= wanted and not seen.silent

    def order(self, nodes: int, wanted: int, seen: Seen) -> None:
        """Refuse a user's order that cannot be carried out.

        Args:
            nodes: So many there shall be.
            wanted: How many there shall be until now.
            seen: What there is now.

        Raises:
            LimitExceeded: They are too many.
            WukongError: They are fewer than before, and what is in them would be lost.
        """
        self.check(nodes)
        if nodes < wanted and seen.used:
            raise WukongError(
                f"the key-value store keeps its {wanted} nodes: {seen.jobs:,} jobs are not removed, and {seen.keys:,} "
                f"keys are in it, of which {nodes} nodes would lose some. Wait for these jobs, cancel or release them "
                "(`wukong jobs` lists them), then order again"
            )

    def reached(self, nodes: int, seen: Seen) -> bool:
        """Whether an order for so many nodes is carried out. Nobody waits for the last ones to go."""
        return not nodes or (seen.answering == nodes and not seen.silent)

    def idle(self, seen: Seen, now: float) -> bool:
        """Whether there shall be no nodes any more. Called regularly, since this is how it learns of use."""
        if seen.used or not self._sizes.idle_seconds:
            self._used = now
        return bool(self._sizes.idle_seconds) and now - self._used >= self._sizes.idle_seconds

    def stranded(self, seen: Seen) -> bool:
        """Whether there are jobs and not one node: somebody else ended them, or a job came just then."""
        return bool(seen.jobs) and not seen.answering
