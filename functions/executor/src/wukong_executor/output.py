"""What tasks print: shown in the environment's log as before, and carried to the user with the next beat."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from wukong.mds.store import LogText

#: Characters kept of one task's output, and of all output of one executor.
TASK_LIMIT = 64 * 1024
EXECUTOR_LIMIT = 4 * 1024 * 1024


class Output:
    """Collects what is printed while a task is current. Writers may be any thread."""

    def __init__(self) -> None:
        self.task = -1
        self._texts: list[LogText] = []
        self._of_task: tuple[int, int] = (-1, 0)
        self._total = 0

    def add(self, stream: str, text: str) -> None:
        """Keep a piece of text for the current task, within the limits."""
        task = self.task
        if not text or task < 0:
            return
        used = self._of_task[1] if self._of_task[0] == task else 0
        room = min(TASK_LIMIT - used, EXECUTOR_LIMIT - self._total)
        if room <= 0:
            return
        if len(text) > room:
            text = text[:room] + "\n... (the rest is in the log of the environment)\n"
        self._of_task = (task, used + len(text))
        self._total += len(text)
        last = self._texts[-1] if self._texts else None
        if last is not None and last.task == task and last.stream == stream:
            self._texts[-1] = LogText(task, stream, last.text + text)
        else:
            self._texts.append(LogText(task, stream, text))

    def take(self) -> list[LogText]:
        """What was collected since the last call."""
        texts, self._texts = self._texts, []
        return texts

    @contextmanager
    def captured(self) -> Iterator[None]:
        """Collect from sys.stdout and sys.stderr inside the block."""
        stdout, stderr = sys.stdout, sys.stderr
        sys.stdout = _Tee(stdout, self, "stdout")
        sys.stderr = _Tee(stderr, self, "stderr")
        try:
            yield
        finally:
            sys.stdout, sys.stderr = stdout, stderr


class _Tee:
    """A text stream that also tells an `Output`."""

    def __init__(self, stream: TextIO, output: Output, name: str) -> None:
        self._stream = stream
        self._output = output
        self._name = name

    def write(self, text: str) -> int:
        self._output.add(self._name, text)
        return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
