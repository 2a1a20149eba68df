"""Run the program on a pseudo-terminal, and print what that showed: seconds since the first of it, and text.

A line behind a ~ was taken away later, as the progress is when something else has to be shown.
"""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

from examples.recording.screen import Screen

#: The width of the terminal, in characters.
COLUMNS = "100"


def record() -> Screen:
    """The screen of one run.

    Raises:
        CalledProcessError: The program did not end well.
    """
    screen = Screen()
    ours, theirs = pty.openpty()
    command = [sys.executable, str(Path(__file__).with_name("program.py"))]
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": COLUMNS}
    with (
        open(ours, "rb", buffering=0) as terminal,
        subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ) as process,
    ):
        os.close(theirs)
        with contextlib.suppress(OSError):  # which is how a terminal says that nobody is there any more
            while data := terminal.read(4096):
                screen.feed(data, time.monotonic())
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, "\n".join(row.text for row in screen.rows))
    return screen


if __name__ == "__main__":
    rows = record().rows
    for row in rows:
        print(row.line(rows[0].time))
