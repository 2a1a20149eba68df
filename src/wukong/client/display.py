"""Shows how far a job is while it is waited for: a line at the end of a terminal, or a bar in a notebook.

It is drawn by the watching thread from the progress that the scheduler pushes, about once a second. It goes to standard
error, is taken away before what a task printed is shown and when the job has ended, and is there for one job at a time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TextIO

from wukong.client.progress import Progress, html, line
from wukong.rpc.v1 import event_pb2

#: Seconds that a job may take before its progress is shown without having been asked for.
DELAY = 2.0

#: Seconds between two drawings, at least: while tasks print much, progress comes with all that they print.
_PAUSE = 0.2

#: What takes a terminal's line away.
_ERASE = "\r\x1b[K"

_one_at_a_time = threading.Lock()


class Surface(Protocol):
    """Where progress is shown."""

    def draw(self, progress: Progress) -> None:
        """Show it, in place of what was shown before."""

    def clear(self) -> None:
        """Make room for other output; called only after something was drawn."""


class Terminal:
    """The last line of a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def draw(self, progress: Progress) -> None:
        """See `Surface`."""
        self._write(_ERASE + line(progress, shutil.get_terminal_size().columns))

    def clear(self) -> None:
        """See `Surface`."""
        self._write(_ERASE)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class Lines:
    """A file or a pipe, whose text cannot be taken back: a line for each change."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = ""

    def draw(self, progress: Progress) -> None:
        """See `Surface`."""
        counts = f"{progress.tasks_run}/{progress.executors}"
        if counts != self._last:
            self._last = counts
            self._stream.write(line(progress, 100) + "\n")
            self._stream.flush()

    def clear(self) -> None:
        """See `Surface`."""


class Notebook:
    """One output of a notebook's cell, which stays and is updated.

    Args:
        show: IPython's `display`.
        wrap: IPython's `HTML`.
    """

    def __init__(self, show: Callable[..., Any], wrap: Callable[[str], Any]) -> None:
        self._show = show
        self._wrap = wrap
        self._handle: Any = None

    def draw(self, progress: Progress) -> None:
        """See `Surface`."""
        content = self._wrap(html(progress))
        if self._handle is None:
            self._handle = self._show(content, display_id=True)
        else:
            self._handle.update(content)

    def clear(self) -> None:
        """See `Surface`."""


class Display:
    """Follows one job's events and shows its progress.

    Args:
        surface: Where; None to show nothing.
        delay: Seconds before anything is shown.
        clock: Seconds of any monotonic clock.
    """

    def __init__(self, surface: Surface | None, delay: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._surface = surface
        self._clock = clock
        self._begun = clock()
        #: When the next progress is shown, at the earliest.
        self._next = self._begun + delay
        #: Whether anything was shown, and whether it is there now.
        self._started = self._drawn = False

    def see(self, event: event_pb2.JobEvent) -> None:
        """Take notice of an event, before anybody prints what it brings."""
        now = self._clock()
        if event.HasField("progress"):
            if now >= self._next:
                self._next = now + _PAUSE
                told = event.progress
                self._draw(told.tasks_total, told.tasks_run, told.executors)
            return
        if event.HasField("state") and event.state.HasField("job") and (self._started or now >= self._next):
            job = event.state.job
            self._draw(job.tasks_total, job.tasks_run, job.executors)
        self.clear()

    def clear(self) -> None:
        """Make room for other output."""
        if self._drawn and self._surface is not None:
            self._drawn = False
            self._surface.clear()

    def _draw(self, tasks: int, tasks_run: int, executors: int) -> None:
        if self._surface is not None:
            self._started = self._drawn = True
            self._surface.draw(Progress(tasks, tasks_run, executors, self._clock() - self._begun))


@contextlib.contextmanager
def display(wanted: bool | None) -> Iterator[Display]:
    """A display for the block, in which one job is waited for.

    Args:
        wanted: Whether to show progress; None on a terminal and in a notebook, and for jobs past two seconds.
    """
    if wanted is False or not _one_at_a_time.acquire(blocking=False):
        yield Display(None, 0)
        return
    shown = Display(_surface(bool(wanted)), DELAY if wanted is None else 0)
    try:
        yield shown
    finally:
        shown.clear()
        _one_at_a_time.release()


def _surface(wanted: bool) -> Surface | None:
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and hasattr(shell, "kernel"):
        return Notebook(ipython.display.display, ipython.display.HTML)
    # Programs without a console have no standard error.
    if sys.stderr is None:
        return None
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return Terminal(sys.stderr)
    return Lines(sys.stderr) if wanted else None
