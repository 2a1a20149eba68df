"""What a table was measured on."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path


def line() -> str:
    """Date and machine as they stand above a table, in one line."""
    about = describe()
    return (
        f"{about['date']}, {about['cores']} cores of {about['processor']}, {about['memory']}, {about['system']}, "
        f"Python {about['python']}"
    )


def describe() -> dict[str, str]:
    """Date and machine, in words."""
    cpu = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": f"{len(os.sched_getaffinity(0))}",
        "processor": cpu[1] if cpu else platform.machine(),
        "memory": f"{int(memory[1]) / 1024**2:.0f} GiB" if memory else "unknown",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "python": platform.python_version(),
    }
