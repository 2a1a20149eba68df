"""Whether a task has broken the environment that it ran in, which serves other jobs after it.

A task may close files that are not its own: the environment's output, or the pipe to its pulse. Their numbers are then
taken by the next files and connections, and what is written to the one arrives at the other. Such an environment ends.
A task that blocks signals is forgiven: they are let through again.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable


class Health:
    """How an environment was when an invocation began."""

    def __init__(self, files: Iterable[int]) -> None:
        """`files` are the numbers of open files that no task may touch."""
        self._files = {number: _identity(number) for number in files}
        self._blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def broken(self) -> str:
        """What a task has broken that cannot be mended, as a part of a sentence; empty if nothing."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)
        lost = [number for number, identity in self._files.items() if _identity(number) != identity]
        return f"a task closed or replaced its open files {lost}" if lost else ""


def _identity(number: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(number)
    except OSError:
        return None
    return status.st_dev, status.st_ino
