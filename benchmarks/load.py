"""Who used the processors: readings of Linux's /proc, in seconds of processor time.

What all processes used comes from /proc/stat, of those cores that this process may use; what one process and its
descendants used comes from their stat files, with the children that they have waited for. Both advance in ticks of
10 ms. A descendant that nobody waited for belongs to the nearest ancestor that adopts orphans, see `adopt_orphans`.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_PR_SET_CHILD_SUBREAPER = 36
#: Of a line of /proc/stat: user, nice, system, irq, softirq, steal. Left out: idle, iowait, and guests, which are in
#: user and nice already.
_BUSY = (0, 1, 2, 5, 6, 7)


@dataclass(frozen=True)
class Process:
    """A process at one moment. `born` tells it from a later one with the same id."""

    parent: int
    born: int
    seconds: float


def parse_busy(text: str, cores: set[int]) -> float:
    """Seconds that cores were busy, from /proc/stat's text."""
    ticks = 0
    for line in text.splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in cores:
            ticks += sum(int(fields[i]) for i in _BUSY)
    return ticks * _TICK


def parse_process(text: str) -> Process:
    """A process, from the text of its stat file."""
    fields = text.rpartition(")")[2].split()  # the name, in brackets, may hold anything
    return Process(int(fields[1]), int(fields[19]), sum(map(int, fields[11:15])) * _TICK)


def tree(processes: Mapping[int, Process], root: int) -> dict[int, Process]:
    """A process and its descendants; empty when it is gone."""
    children: dict[int, list[int]] = {}
    for pid, process in processes.items():
        children.setdefault(process.parent, []).append(pid)
    found: dict[int, Process] = {}
    waiting = [root] if root in processes else []
    while waiting:
        pid = waiting.pop()
        found[pid] = processes[pid]
        waiting += [child for child in children.get(pid, []) if child not in found]
    return found


def busy() -> float:
    """Seconds that this process's cores were busy since the machine started."""
    return parse_busy(Path("/proc/stat").read_text(), os.sched_getaffinity(0))


def processes() -> dict[int, Process]:
    """All processes of the machine."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            try:
                found[int(entry.name)] = parse_process(Path(entry.path, "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile
    return found


def used_by(processes: Mapping[int, Process], root: int) -> float:
    """Seconds that a process and its descendants used so far."""
    return sum(process.seconds for process in tree(processes, root).values())


def adopt_orphans() -> None:
    """From now on descendants whose parent ends become children of this process, and stay in its tree."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
