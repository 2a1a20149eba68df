"""The way from environments to the stores, as a function's settings describe it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoreNetwork:
    """How far the stores are from each environment.

    Attributes:
        stores: "host:port" of each Redis.
        seconds: What a round trip takes longer.
        mb_per_second: What fits through an environment's network each way, in millions of bytes; 0 for no limit.
    """

    stores: Sequence[str]
    seconds: float
    mb_per_second: float

    def __bool__(self) -> bool:
        """Whether it slows anything down."""
        return bool(self.stores) and (self.seconds > 0 or self.mb_per_second > 0)
