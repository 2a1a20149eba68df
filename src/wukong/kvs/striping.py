"""How long the stripes of a stream are. Pure; writers and readers must agree on it, so one cluster has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: The bytes of a stripe where nothing else is set. Every stripe of a value but the last one is full.
STRIPE: Final = 16 * 1024 * 1024
#: Shorter stripes cost more round trips than they save.
LEAST: Final = 1024 * 1024
#: The longest string that Redis holds, unless it is configured otherwise (`proto-max-bulk-len`).
MOST: Final = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Striping:
    """The rule of one cluster.

    Attributes:
        whole_bytes: A stream up to this is one stripe.
        stripes: A longer one is cut into this many; 0 for as many as it takes with `whole_bytes` in each.
    """

    whole_bytes: int = STRIPE
    stripes: int = 0

    def stripe(self, nbytes: int) -> int:
        """The bytes of each stripe, but for a shorter last one, of a stream of `nbytes`."""
        wanted = self.whole_bytes
        if self.stripes and nbytes > wanted:
            wanted = -(-nbytes // self.stripes)
        return min(max(wanted, LEAST), MOST)
