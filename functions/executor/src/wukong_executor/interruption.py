"""Ends the running task when nobody waits for its value any more, since the environment is wanted elsewhere."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: Signals before nothing more is expected of them.
_SIGNALS = 20


class Interrupted(BaseException):
    """Raised inside a task. Not an Exception, so that a task's own handlers let it pass."""


class Interruption:
    """A signal whose handler raises in the main thread, but only while a task runs (`armed`).

    Signals reach a sleeping system call too, but a signal that comes a moment before the call is heard only after it:
    `insist` repeats them. A task that is in a library, or lets no exception through, hears none; then only the end of
    the process helps. Whoever arms this looks at `wanted` after that: the signal may have come a moment before.

    Attributes:
        armed: Whether a task runs, which may be interrupted.
        wanted: Whether `interrupt` was called.
    """

    def __init__(self) -> None:
        self.armed = False
        self.wanted = False
        self._thread: int | None = None

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signal inside the block; without effect outside the main thread, where Python takes no signals.

        Nobody may call `interrupt` when the block is left: where no handler is, the signal ends the process.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = signal.signal(signal.SIGUSR1, self._handle)
        self._thread = threading.get_ident()
        try:
            yield
        finally:
            self._thread = None
            signal.signal(signal.SIGUSR1, previous)

    def interrupt(self) -> None:
        """Raise `Interrupted` in the task that runs, if one does, and keep others from being started."""
        self.wanted = True
        if self._thread is not None:
            signal.pthread_kill(self._thread, signal.SIGUSR1)

    def insist(self, ended: threading.Event, seconds: float) -> bool:
        """Interrupt again and again until the main thread has ended its work; returns whether it has in that time.

        Args:
            ended: Set by the main thread when it has. Until then it stays in the block of `installed`.
            seconds: The most time, on a machine that is not busy. It is counted in pauses, which are longer for
                everybody on one that is.
        """
        for _ in range(_SIGNALS):
            if ended.wait(seconds / _SIGNALS):
                return True
            self.interrupt()
        return ended.is_set()

    @property
    def can_end_process(self) -> bool:
        """Whether this process is the main thread's, who works here, and nobody else's."""
        return self._thread is not None

    def sleep(self, seconds: float) -> None:
        """Wait, unless somebody interrupts.

        Raises:
            Interrupted: Somebody did.
        """
        self.armed = True
        try:
            if self.wanted:
                raise Interrupted
            time.sleep(seconds)
        finally:
            self.armed = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.armed and self.wanted:  # a task may send the signal too, and means nothing by it
            self.armed = False
            raise Interrupted
