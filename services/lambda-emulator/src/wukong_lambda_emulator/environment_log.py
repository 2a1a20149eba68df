"""What environments print, and the lines that Lambda adds around each invocation."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

# What an invocation with LogType=Tail gets, as on Lambda.
TAIL_BYTES = 4096
# What is kept of a function's log in memory, and in each of its two files.
MEMORY_BYTES = 2**20
FILE_BYTES = 64 * 2**20


class FunctionLog:
    """The log of all environments of a function: whole lines, in the order in which they came, each marked with its
    environment. The newest MiB stays in memory; with a folder, all of it is in `NAME.log` there, and up to 64 MiB of
    what came before in `NAME.log.1`."""

    def __init__(self, name: str, folder: Path | None) -> None:
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._path = folder / f"{name}.log" if folder else None
        self._file = self._path.open("ab") if self._path else None

    def append(self, environment: int, lines: list[bytes]) -> None:
        """Add complete lines, without their line ends, that an environment printed."""
        marked = [b"[%d] %s\n" % (environment, line) for line in lines]
        self._lines.extend(marked)
        self._size += sum(map(len, marked))
        while self._size > MEMORY_BYTES:
            self._size -= len(self._lines.popleft())
        if self._file and self._path:
            self._file.writelines(marked)
            self._file.flush()
            if self._file.tell() > FILE_BYTES:
                self._file.close()
                self._path.replace(f"{self._path}.1")
                self._file = self._path.open("ab")

    def text(self) -> str:
        """What is in memory."""
        return b"".join(self._lines).decode(errors="replace")

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()


class EnvironmentLog:
    """The output of one environment, read from a pipe, and the tail of its present invocation."""

    def __init__(self, environment: int, log: FunctionLog) -> None:
        self._environment = environment
        self._log = log
        self._line = b""
        self._tail = bytearray()
        self._reading = -1
        #: What the environment writes to; -1 while this process does not hold it.
        self.writing = -1

    def open(self) -> None:
        """Make the pipe."""
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)

    def fileno(self) -> int:
        """The pipe's reading end."""
        return self._reading

    def drain(self) -> bool:
        """Take in what was printed so far, at most a MiB of it. False at the end of the pipe."""
        if self._reading < 0:
            return False
        for _ in range(16):
            try:
                data = os.read(self._reading, 65536)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._add(data)
        return True

    def write(self, line: str) -> None:
        """Add a line of Lambda's own, on a line of its own."""
        self._add(f"{'' if not self._line else chr(10)}{line}\n".encode())

    def begin(self) -> None:
        """From here on it is another invocation's tail."""
        self._tail.clear()

    def tail(self) -> bytes:
        """The last 4 KB since `begin`, from the start of a character."""
        tail = bytes(self._tail[-TAIL_BYTES:])
        start = next((i for i, byte in enumerate(tail[:4]) if byte & 0xC0 != 0x80), 0)
        return tail[start:]

    def _add(self, data: bytes) -> None:
        self._tail += data
        if len(self._tail) > 16 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]
        *lines, self._line = (self._line + data).split(b"\n")
        if len(self._line) > 65536:
            lines.append(self._line)
            self._line = b""
        if lines:
            self._log.append(self._environment, lines)

    def close_writing(self) -> None:
        """The environment has its own copy of the writing end now."""
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    def close(self) -> None:
        """Take in the rest and close the pipe."""
        if self._reading >= 0:
            self.drain()
            os.close(self._reading)
            self._reading = -1
        if self._line:
            self._add(b"\n")
        self.close_writing()
