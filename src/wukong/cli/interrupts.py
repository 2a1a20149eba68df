"""What Ctrl-C does. It never raises while a call is under way: gRPC can wait for ever for what was cut off half-way."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from wukong.cli.exits import Exit

Handler = Callable[[int, FrameType | None], object]


def leave(number: int, frame: FrameType | None) -> None:
    """End the process at once. Nothing stays behind: an embedded cluster ends with its program however that ends."""
    os.write(2, b"wukong: interrupted\n")  # print may be what was interrupted
    os._exit(Exit.INTERRUPTED)


@contextlib.contextmanager
def on_interrupt(handler: Handler, number: signal.Signals = signal.SIGINT) -> Iterator[None]:
    """Have Ctrl-C, or another signal, call `handler` inside the block. For the main thread."""
    previous = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, previous)
