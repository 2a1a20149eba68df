"""The append-only file of a metadata store: how long it was when, to cut its end off while the server is down."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

#: Seconds between looks.
LOOK = 0.01


class LogTail:
    """Looks at the file, in a thread of its own, from `start` until `close`.

    Args:
        folder: Where the server keeps the file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: list[tuple[float, Path, int]] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._look, name="log-tail")

    def __enter__(self) -> LogTail:
        self._seen.append(self._now())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    def cut(self, seconds: float) -> int:
        """Cut off what was written in the last seconds, but nothing from before this was started; returns its bytes."""
        now, path, size = self._now()
        lengths = [length for moment, where, length in self._seen if where == path and moment <= now - seconds]
        length = lengths[-1] if lengths else next(length for _, where, length in self._seen if where == path)
        os.truncate(path, length)
        return size - length

    def _look(self) -> None:
        while not self._closed.wait(LOOK):
            self._seen.append(self._now())

    def _now(self) -> tuple[float, Path, int]:
        path = max(self._folder.glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)
        return time.monotonic(), path, path.stat().st_size
