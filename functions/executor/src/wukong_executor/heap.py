"""Memory that dropped values leave: kept for the next ones, as long as there is plenty.

By itself glibc gives freed memory back to the system almost at once. The next value is new memory then, which the
kernel has to find and to clear, page by page, as it is touched first: a third of what blocks of some MB take to be
multiplied (docs/performance.md). So what an executor frees stays in the heap.

It may fill only what nobody needs. From half of the function's memory on nothing is kept on purpose any more; all that
is free goes back, again and again as memory fills up. An environment that is idle for a minute gives everything back.

Other systems' allocators are left as they are.
"""

from __future__ import annotations

import ctypes
from functools import cache
from threading import Timer
from typing import ClassVar

from wukong_executor.resident import resident_bytes

#: The part of the function's memory that freed values may leave in the heap, and that the largest of them may have.
KEPT_SHARE = 0.25

#: The part of the function's memory from which on nothing is kept.
FULL_SHARE = 0.5

#: The part of the function's memory by which it fills up until all that is free goes back again.
STEP_SHARE = 0.125

#: Seconds after which an idle environment gives back what it kept.
IDLE_SECONDS = 60.0

#: Bytes below which what is kept is not worth giving back.
LITTLE_BYTES = 64 * 1024 * 1024

# mallopt(3): its parameters. Blocks from the second threshold on are mapped, each by itself, and go back when freed.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_MOST_BYTES = 2**31 - 1
#: The most that older versions accept for mapping, as mallopt(3) has it.
_MOST_MAPPED_FROM = 32 * 1024 * 1024
#: While nothing is kept.
_MAPPED_FROM = 1024 * 1024


class _Mallinfo2(ctypes.Structure):
    """See mallinfo(3)."""

    _fields_: ClassVar = [
        (name, ctypes.c_size_t)
        for name in [
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        ]
    ]


class Heap:
    """The heap of this process.

    Args:
        idle_seconds: After how many what an idle environment kept is given back.
    """

    def __init__(self, idle_seconds: float = IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._libc = _glibc()
        self._limit = 0  # bytes that the function may use; 0 while nobody works
        self._full = 0  # bytes from which on all that is free goes back
        self._least = 0  # resident bytes when nothing was kept
        self._idle: Timer | None = None

    def keep(self, limit: int) -> None:
        """Keep what is freed from now on. `limit`: bytes that the function may use; nothing is kept where that is 0."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._libc is None:
            return
        self._limit = limit
        if not limit:
            self._give_back()
            return
        self._full = int(limit * FULL_SHARE)
        self._least = self._least or resident_bytes()
        nbytes = min(int(limit * KEPT_SHARE), _MOST_BYTES)
        if not self._libc.mallopt(_M_MMAP_THRESHOLD, nbytes):
            self._libc.mallopt(_M_MMAP_THRESHOLD, _MOST_MAPPED_FROM)
        self._libc.mallopt(_M_TRIM_THRESHOLD, nbytes)

    def watch(self) -> None:
        """Give back what is free, if memory fills up."""
        if self._limit and resident_bytes() > self._full:
            self._give_back()
            self._full = max(self._full, resident_bytes() + int(self._limit * STEP_SHARE))

    def free(self) -> int:
        """Bytes that nobody uses. Of those that were given back, some may count."""
        if self._libc is None or not hasattr(self._libc, "mallinfo2"):
            return 0
        ask = self._libc.mallinfo2
        ask.restype = _Mallinfo2
        return int(ask().fordblks)

    def rest(self) -> None:
        """Nobody works here now: give back what was kept, unless somebody does again soon."""
        if self._limit and resident_bytes() - self._least > LITTLE_BYTES:
            self._idle = Timer(self._idle_seconds, self._give_back)
            self._idle.daemon = True
            self._idle.start()
        self._limit = 0

    def _give_back(self) -> None:
        assert self._libc is not None
        self._libc.mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM)
        self._libc.mallopt(_M_TRIM_THRESHOLD, 2 * _MAPPED_FROM)
        self._libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
