"""Memory to receive into."""

from __future__ import annotations

from typing import Final

import numpy as np

#: Where received bytes start in memory: what vector instructions and Arrow like best.
ALIGNMENT: Final = 64


def allocate(nbytes: int) -> memoryview:
    """A writable aligned buffer. Not a bytearray: that would touch every page once more to clear it."""
    whole = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -whole.ctypes.data % ALIGNMENT
    return whole.data[start : start + nbytes]
