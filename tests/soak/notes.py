"""What the tasks of a job note while they run, in a file that all of them append to."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path


class Notes:
    """The notes of one job: from its tasks, and for whoever disturbs it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def start(self) -> None:
        """Take notes from now on; until the file is removed. A task that wakes later than that notes nothing."""
        self._path.touch()

    def begin(self) -> None:
        """A task of this process begins."""
        self._note("begin")

    def end(self) -> None:
        """It has its value."""
        self._note("end")

    def begun(self) -> int:
        """How many tasks have begun."""
        return sum(word == "begin" for word, _, _ in self._read())

    def first(self) -> float:
        """Unix seconds at which the first of them began."""
        return min(moment for _, _, moment in self._read())

    def at_work(self) -> list[int]:
        """The processes that are in the middle of a task, or ended there."""
        open_: Counter[int] = Counter()
        for word, pid, _ in self._read():
            open_[pid] += 1 if word == "begin" else -1
        return sorted(pid for pid, count in open_.items() if count > 0)

    def noted_by(self, pid: int) -> int:
        """How many notes are one process's."""
        return sum(whose == pid for _, whose, _ in self._read())

    def _note(self, word: str) -> None:
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        except FileNotFoundError:
            return
        try:
            os.write(file, f"{word} {os.getpid()} {time.time()}\n".encode())
        finally:
            os.close(file)

    def _read(self) -> list[tuple[str, int, float]]:
        lines = (line.split() for line in self._path.read_text().splitlines())
        return [(word, int(pid), float(moment)) for word, pid, moment in lines]
