"""`python -m benchmarks.memory_peak PID`: the most memory that a process and all below it have together.

A process of its own, so that looking is not counted to whom it looks at. It says that it looks, and tells the bytes
when its input ends.
"""

from __future__ import annotations

import os
import select
import sys

from benchmarks.processes import descendants, shared_out

#: Seconds between two looks. One takes some milliseconds for each GB.
PAUSE = 0.25


def main(root: int) -> None:
    """Look until the input ends."""
    own = os.getpid()
    print("looking", flush=True)
    most = 0
    while True:
        most = max(most, shared_out(pid for pid in descendants(root) if pid != own))
        if select.select([sys.stdin], [], [], PAUSE)[0]:
            break
    print(most)


if __name__ == "__main__":
    main(int(sys.argv[1]))
