"""What the processes of a cluster and of its client use: processor time and memory, from Linux's /proc."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wukong import LocalCluster

#: The groups in which processes are told, and the roles of `LocalCluster.processes` in each. The scheduler shares its
#: process, control, with the KVS proxy, the nodes' agents and the Lambda emulator.
GROUPS = {
    "client": ("client",),
    "scheduler": ("control", "relay"),
    "executors": ("zygote", "environment", "companion"),
    "stores": ("store", "storekeeper"),
}
_GROUP_OF = {role: group for group, roles in GROUPS.items() for role in roles}

_TICKS = os.sysconf("SC_CLK_TCK")


def groups(cluster: LocalCluster) -> dict[int, str]:
    """The group of each process of a cluster, and of this one, its client."""
    return {os.getpid(): "client", **{pid: _GROUP_OF[role] for role, pid in cluster.processes()}}


def seconds(pid: int) -> float:
    """Processor time of a process so far, in steps of some milliseconds; 0 where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident(pid: int) -> int:
    """Bytes of memory that a process has; 0 where it is gone."""
    return _status(pid, "VmRSS:")


def peak(pid: int) -> int:
    """The most bytes of memory that a process had since its start, or since `forget_peak`; 0 where it is gone."""
    return _status(pid, "VmHWM:")


def forget_peak(pid: int) -> None:
    """Have `peak` begin anew."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def shared_out(pids: Iterable[int]) -> int:
    """Bytes of memory that processes have together: what several of them share counts once."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return total


def descendants(root: int) -> list[int]:
    """A process and all that it started, and they."""
    found = [root]
    for pid in found:  # which grows
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, children.read_text().split())
    return found


def _status(pid: int, name: str) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return 0
