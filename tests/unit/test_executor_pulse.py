"""What the pulse makes of its parent. How it renews is shown on a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from tests.waiting import until

from wukong_executor import pulse
from wukong_executor.pulse import Pulse, parent_state, state_of


def test_the_state_is_behind_a_name_of_any_characters() -> None:
    assert state_of(b"12 (a) R (b) T 1 12 12 0") == "T"
    assert state_of(b"12 (python) S 1 12 12 0") == "S"


def test_another_parent_is_a_dead_one() -> None:
    assert parent_state(os.getppid()) not in pulse.DEAD
    assert parent_state(1 if os.getppid() != 1 else 2) in pulse.DEAD


def test_it_ends_with_the_environment_even_where_others_have_the_pipe() -> None:
    code = (
        "import os, sys, time, wukong_executor.pulse as pulse\n"
        "pulse.IDLE_SECONDS = 0.05\n"
        "found = pulse.Pulse('127.0.0.1:1', '')\n"
        "if os.fork() == 0: sys.stdin.read(); os._exit(0)\n"
        "print(found.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as environment:
        assert environment.stdout is not None
        assert environment.stdin is not None
        pid = int(environment.stdout.readline())
        os.kill(pid, 0)
        environment.kill()
        until(lambda: not _runs(pid))
        environment.stdin.close()


def test_one_that_was_killed_is_replaced_when_it_is_needed() -> None:
    mine = Pulse("127.0.0.1:1", "")
    try:
        first = mine.pid
        os.kill(first, signal.SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
        mine.hold("j", "0", "t", 0, 60.0)
        assert mine.pid != first
        assert _runs(mine.pid)
        mine.rest()
    finally:
        mine.close()
    assert not _runs(mine.pid)


def test_one_that_is_stopped_keeps_nobody_waiting() -> None:
    mine = Pulse("127.0.0.1:1", "")
    try:
        os.kill(mine.pid, signal.SIGSTOP)
        for number in range(2000):
            mine.hold("job" * 40, str(number), "t", 0, 60.0)
    finally:
        os.kill(mine.pid, signal.SIGCONT)
        mine.close()


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return state_of(file.read()) not in pulse.DEAD
    except OSError:
        return False
