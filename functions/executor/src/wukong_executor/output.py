"""What tasks print: shown in the environment's log as before, and carried to the user with the next beat.

Any thread of a task may print at any moment, and a task may fork, so collecting takes no lock: pieces are appended to
a deque, and the beat takes them from its other end. One `print` writes its words one by one, so a line without an end
is left for the next beat, for as long as something is added to it.

The streams that tasks see outlive the executor, because tasks keep them: a logging handler that one job set up writes
to the same stream in the next one.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from wukong.mds.store import LogText

#: Characters kept of one task's output, and of all output of one executor.
TASK_LIMIT = 64 * 1024
EXECUTOR_LIMIT = 4 * 1024 * 1024


class Output:
    """Collects what is printed while a task is current. Writers may be any thread; one thread takes."""

    def __init__(self) -> None:
        self.task = -1
        self._pieces: deque[tuple[int, str, str]] = deque()
        self._of_task: tuple[int, int] = (-1, 0)
        self._total = 0
        #: The unfinished line that the last call of `take` left.
        self._left: tuple[int, str, str] | None = None

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
        self._pieces.append((task, stream, text))

    def take(self) -> list[LogText]:
        """What was collected since the last call, lines as a whole; neighbouring pieces of one stream are joined."""
        texts: list[LogText] = []
        joined: list[str] = []
        of: tuple[int, str] | None = None
        for _ in range(len(self._pieces)):
            task, stream, text = self._pieces.popleft()
            if (task, stream) != of and of is not None:
                texts.append(LogText(*of, "".join(joined)))
                joined.clear()
            of = (task, stream)
            joined.append(text)
        if of is not None:
            text = "".join(joined)
            whole = max(text.rfind("\n"), text.rfind("\r")) + 1
            left = (*of, text[whole:])
            if whole == len(text) or of[0] != self.task or left == self._left:
                texts.append(LogText(*of, text))
            else:
                self._left = left
                self._pieces.appendleft(left)
                if whole:
                    texts.append(LogText(*of, text[:whole]))
        return texts

    @contextmanager
    def captured(self) -> Iterator[None]:
        """Collect from sys.stdout and sys.stderr inside the block."""
        stdout, stderr = sys.stdout, sys.stderr
        tees = [_tee(stdout, "stdout"), _tee(stderr, "stderr")]
        for tee in tees:
            tee.output = self
        sys.stdout, sys.stderr = tees
        try:
            yield
        finally:
            sys.stdout, sys.stderr = stdout, stderr
            for tee in tees:
                tee.output = None
            self.task = -1


class _Tee:
    """A text stream that also tells the current `Output`. It belongs to the environment, so no task can close it."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self.stream = stream
        self.output: Output | None = None
        self._name = name

    def write(self, text: str) -> int:
        if self.output is not None:
            self.output.add(self._name, text)
        return self.stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def close(self) -> None:
        with suppress(OSError):
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


_tees: dict[str, _Tee] = {}


def _tee(stream: Any, name: str) -> Any:
    """The tee of an environment's stream, the same as last time."""
    tee = _tees.get(name)
    if tee is None or tee.stream is not stream:
        tee = _tees[name] = _Tee(stream, name)
    return tee
