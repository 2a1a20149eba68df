"""Calls that the main thread has made for it by another, so that Ctrl-C cannot break what they use.

Python raises KeyboardInterrupt in the main thread between any two instructions, also between taking a lock and being
bound to give it back. Where that lock is gRPC's, every later call waits for it for ever. So the main thread only waits,
in one call of C that an interrupt leaves clean, and another thread does the work. An interrupted call goes on to its
end there; nobody hears of its answer.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

Answer = TypeVar("Answer")

_Work = tuple[Callable[[], Any], "queue.SimpleQueue[tuple[Any, BaseException | None]]"]


#: Seconds between looks for an interrupt that came without a signal, as `_thread.interrupt_main` makes them.
_LOOK_SECONDS = 0.2


class Aside:
    """Threads for the main one. They are kept, and end with the program or with `close`."""

    def __init__(self) -> None:
        self._idle: list[queue.SimpleQueue[_Work | None]] = []

    def call(self, function: Callable[[], Answer]) -> Answer:
        """What `function` returns or raises. Other threads than the main one call it themselves.

        Raises:
            KeyboardInterrupt: In the main thread; the call goes on elsewhere.
        """
        if threading.current_thread() is not threading.main_thread():
            return function()
        try:
            work = self._idle.pop()
        except IndexError:
            work = queue.SimpleQueue()
            threading.Thread(target=self._serve, args=(work,), name="wukong-aside", daemon=True).start()
        answer: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        work.put((function, answer))
        while True:
            try:
                found, error = answer.get(timeout=_LOOK_SECONDS)
                break
            except queue.Empty:
                continue
        if error is not None:
            raise error
        return found  # type: ignore[no-any-return]

    def each(self, items: Generator[Answer, None, None]) -> Iterator[Answer]:
        """The items of a generator that waits for them, each asked for by `call`."""
        end = object()
        try:
            while (item := self.call(lambda: next(items, end))) is not end:
                yield item  # type: ignore[misc]
        finally:
            # Here, since the program may be ending, and the threads with it.
            with contextlib.suppress(ValueError):  # it was interrupted, and still waits for its next item
                items.close()

    def close(self) -> None:
        """End the threads that have nothing to do."""
        while self._idle:
            self._idle.pop().put(None)

    def _serve(self, work: queue.SimpleQueue[_Work | None]) -> None:
        while (item := work.get()) is not None:
            function, answer = item
            try:
                outcome: tuple[Any, BaseException | None] = (function(), None)
            except BaseException as error:
                outcome = (None, error)
            self._idle.append(work)
            answer.put(outcome)
            del item, function, answer, outcome  # a waiting thread keeps nothing alive
