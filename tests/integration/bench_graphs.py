"""Graphs for tests of the benchmarks' driver; engines import them in their own processes."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any


def own_id() -> tuple[dict[Any, Any], Any]:
    """One task, whose value is another one in each process."""
    return {"pid": (os.getpid,)}, "pid"


def sleep_in_a_thread() -> None:
    if threading.current_thread() is not threading.main_thread():
        Path(tempfile.gettempdir(), "asleep").touch()
        time.sleep(600)


def asleep_there() -> tuple[dict[Any, Any], Any]:
    """One task that takes long, but for Dask's synchronous scheduler; it leaves a sign that it has begun."""
    return {"sleep": (sleep_in_a_thread,)}, "sleep"
