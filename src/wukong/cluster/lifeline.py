"""How a child process notices that the program it belongs to is gone.

Every child inherits the read end of one pipe. Only the user's process holds the write end, and never
writes to it, so the pipe reads end-of-file at the moment when that process ends, however it ends. A child
that sees it ends at once, without clean-up: nobody is left to clean up for.

A program that cannot watch a pipe is started as `python -I -S lifeline.py PARENT PROGRAM ARGUMENT...`, which
becomes that program, with Linux told to kill it together with its parent.

Standard library only, and nothing of Wukong: a child imports this before anything else.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def watch(fd: int, at_end: Callable[[], object] | None = None) -> None:
    """End this process as soon as `fd`, the read end of the lifeline, reads end-of-file.

    A daemon thread blocks in the read, so nothing is polled. A process that will fork must not have
    threads; it waits for `fd` to become readable in its own loop instead.

    Args:
        fd: The read end. It is made non-inheritable here: whoever shall watch it too gets it explicitly.
        at_end: Called just before the process ends, to take its own children along.
    """
    os.set_inheritable(fd, False)
    threading.Thread(target=_wait, args=(fd, at_end), name="wukong-lifeline", daemon=True).start()


def _wait(fd: int, at_end: Callable[[], object] | None) -> None:
    try:
        while os.read(fd, 1):
            pass
    except OSError:
        pass  # A closed descriptor tells nothing about the owner, but living on unwatched would be worse.
    try:
        if at_end is not None:
            at_end()
    finally:
        os._exit(0)


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when its parent ends; nothing elsewhere.

    Linux means the parent's *thread* that started this process. So this is for processes that a child of
    ours starts from its main thread, as a second line behind the lifeline, and never for children of the
    user's program. It survives `exec`.

    Args:
        parent: The parent's process id, as the parent itself says it: one that has ended by now is not this process's
            parent any more.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # It ended before the request took effect.
            os._exit(0)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
