"""A store that keeps something has its folder for itself."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HOLD = "import os, sys; from wukong_kvs_node.store import hold; hold(sys.argv[1]); os.execvp('cat', ['cat'])"


@contextmanager
def held(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the folder and became another program, which repeats what it is told."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("here\n")
    process.stdin.flush()
    return process.stdout.readline()


def test_the_folder_is_held_by_what_the_process_becomes(tmp_path: Path) -> None:
    with held(tmp_path) as first:
        assert said(first) == "here\n"
        with (tmp_path / "lock").open("r+") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_next_one_waits_until_it_ends(tmp_path: Path) -> None:
    with held(tmp_path) as first:
        assert said(first) == "here\n"
        with held(tmp_path) as second:
            assert second.stderr is not None
            assert second.stderr.readline() == f"another server has {tmp_path}; waiting until it ends\n"
            first.kill()
            assert said(second) == "here\n"


def test_nobody_waits_for_one_that_was_killed(tmp_path: Path) -> None:
    with held(tmp_path) as first:
        assert said(first) == "here\n"
    number = os.open(tmp_path / "lock", os.O_RDWR)
    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(number)
