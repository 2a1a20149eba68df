"""Memory of this process, as Linux tells it; 0 where it does not."""

from __future__ import annotations

from contextlib import suppress


def resident_bytes() -> int:
    """Resident bytes now."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * 4096
    except OSError:
        return 0


class Peak:
    """The most resident bytes since this was made, pages included that a forked process shares with its parent.

    The kernel's own high-water mark counts, where the process may reset it: an environment's life is longer than one
    executor's. Elsewhere it is the largest of the looks.
    """

    def __init__(self) -> None:
        self._largest = 0
        self._reset = False
        with suppress(OSError), open("/proc/self/clear_refs", "wb") as file:
            file.write(b"5")
            self._reset = True

    def look(self, resident: int) -> int:
        """The peak, given the resident bytes now."""
        self._largest = max(self._largest, resident, _high_water() if self._reset else 0)
        return self._largest


def _high_water() -> int:
    try:
        with open("/proc/self/status", "rb") as file:
            for line in file:
                if line.startswith(b"VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
