"""How much memory an environment and the processes that it started hold.

Resident sizes are cheap to read, but count a page that a forked child shares with its parent twice. So they are
believed as long as their sum stays within the limit, and checked against proportional sizes, which cost
milliseconds, before anybody is killed.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable

_PAGE = os.sysconf("SC_PAGE_SIZE")
_LINUX = sys.platform == "linux"


def members(leaders: Iterable[int]) -> dict[int, list[int]]:
    """The processes of each session in `leaders`, the leader included. Costs a pass over all processes."""
    found: dict[int, list[int]] = {leader: [] for leader in leaders}
    for pid in _pids():
        with contextlib.suppress(OSError):
            session = os.getsid(pid)
            if session in found:
                found[session].append(pid)
    return found


def resident(pid: int) -> int:
    """Resident bytes of one process; 0 when it is gone."""
    if _LINUX:
        try:
            with open(f"/proc/{pid}/statm", "rb", buffering=0) as statm:
                return int(statm.read(200).split()[1]) * _PAGE
        except (OSError, IndexError):
            return 0
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _pids() -> list[int]:
    if _LINUX:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    # Imported where it is needed: an embedded cluster waits for every import at its start.
    import psutil

    return psutil.pids()


def proportional(pids: Iterable[int]) -> int:
    """Bytes that the processes hold together, where each shared page counts by the share; resident where unknown."""
    return sum(map(_proportional, pids))


def _proportional(pid: int) -> int:
    if not _LINUX:
        return resident(pid)
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as rollup:
            for line in rollup:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
