"""Memory of this process, as Linux tells it; 0 where it does not."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

_PAGE = os.sysconf("SC_PAGE_SIZE")

#: Bytes by which a process grows that uses what was free in it.
_LITTLE = 16 * 1024 * 1024


class Resident:
    """Resident bytes, now and at most since this was made; with the pages that a forked process shares with its parent.

    The kernel's own high-water mark counts, where the process may reset it: an environment lives longer than one
    executor. Elsewhere the peak is the largest of the looks. What was free when this was made and stays so is none of
    the peak: an earlier executor has left it.

    Args:
        free: Bytes of the heap that nobody uses.
    """

    def __init__(self, free: Callable[[], int]) -> None:
        self._free = free
        self._peak = 0
        self._before = resident_bytes()
        self._reset = False
        with suppress(OSError), open("/proc/self/clear_refs", "wb") as file:
            file.write(b"5")
            self._reset = True

    def look(self) -> tuple[int, int]:
        """Now, and the peak."""
        try:
            with open("/proc/self/status", "rb") as file:
                text = file.read()
        except OSError:
            return 0, 0
        now = _bytes(text, b"VmRSS:")
        most = max(now, _bytes(text, b"VmHWM:") if self._reset else 0)
        if most <= self._before + _LITTLE:
            most = max(now - self._free(), 0)
        self._peak = max(self._peak, most)
        return now, self._peak


def resident_bytes() -> int:
    """Resident bytes now, at the least cost."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as file:
            return int(file.read(200).split()[1]) * _PAGE
    except OSError:
        return 0


def _bytes(text: bytes, name: bytes) -> int:
    _, _, rest = text.partition(name)
    return int(rest.split(None, 1)[0]) * 1024 if rest else 0
