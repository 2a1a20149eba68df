"""A process ends when its lifeline does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from wukong.cluster import lifeline

_WATCHER = """
import sys, threading
sys.path.insert(0, sys.argv[2])
import lifeline
lifeline.watch(int(sys.argv[1]), lambda: print("farewell", flush=True))
print("watching", flush=True)
threading.Event().wait()
"""


@pytest.fixture
def pipe() -> Iterator[tuple[int, list[int]]]:
    read, write = os.pipe()
    writers = [write]
    yield read, writers
    os.close(read)
    for fd in writers:
        os.close(fd)


def _start(read: int) -> subprocess.Popen[str]:
    folder = os.path.dirname(lifeline.__file__)
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WATCHER, str(read), folder],
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[read],
    )


def test_ends_when_the_pipe_does(pipe: tuple[int, list[int]]) -> None:
    read, writers = pipe
    with _start(read) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "watching\n"
        assert child.poll() is None
        os.close(writers.pop())
        assert child.stdout.read() == "farewell\n"
        assert child.wait(10) == 0


def test_bytes_on_the_pipe_end_nothing(pipe: tuple[int, list[int]]) -> None:
    read, writers = pipe
    with _start(read) as child:
        assert child.stdout is not None
        child.stdout.readline()
        os.write(writers[0], b"x")
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.2)
        child.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_program_started_through_it_dies_with_its_parent() -> None:
    start, program = [sys.executable, "-I", "-S", lifeline.__file__], ["/bin/sh", "-c", "echo up; read x"]
    code = (
        "import os, subprocess; "
        f"subprocess.Popen([*{start!r}, str(os.getpid()), *{program!r}], stdin=subprocess.PIPE).wait()"
    )
    read, write = os.pipe()
    with subprocess.Popen([sys.executable, "-c", code], stdout=write) as parent:
        os.close(write)
        with os.fdopen(read) as output:
            assert output.readline() == "up\n"
            parent.kill()
            assert output.read() == ""  # the last holder of the pipe's other end is gone


def test_program_whose_parent_has_ended_before_does_not_start() -> None:
    other = os.getppid()  # as if that one had started it, and had ended
    command = [sys.executable, "-I", "-S", lifeline.__file__, str(other), "/bin/sh", "-c", "echo up"]
    done = subprocess.run(command, capture_output=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, b"")
