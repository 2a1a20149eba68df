"""A task is interrupted whether the wish comes while it runs or a moment before."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from wukong.testing.kvs import MemoryKvs
from wukong.testing.mds import MemoryMds
from wukong.values.signing import Signer
from wukong.values.values import Values
from wukong_executor.attempts import Attempts
from wukong_executor.interruption import Interrupted, Interruption
from wukong_executor.memory import Memory
from wukong_executor.programs import Programs
from wukong_executor.retrying import Retrying
from wukong_executor.timesheet import Timesheet


def evaluate(interruption: Interruption, program: Any) -> Any:
    signer = Signer(b"k" * 32)
    memory = Memory(Values(MemoryKvs(), signer), "job", "token", 60, 0)
    programs = Programs(MemoryMds(lambda: 0.0), signer, "job", [0])
    times = Timesheet(0.0, float)
    return Attempts(memory, programs, interruption, Retrying(), times, signer, "job").run(0, program, [])


def wait_for_ever() -> None:
    threading.Event().wait(60)


def test_a_task_that_runs_is_interrupted() -> None:
    interruption = Interruption()

    def interrupt() -> None:
        while not interruption.armed:
            pass
        assert interruption.insist(ended, 60)

    ended = threading.Event()
    before = signal.getsignal(signal.SIGUSR1)
    with interruption.installed():
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(Interrupted):
            evaluate(interruption, (wait_for_ever, ()))
        ended.set()
        thread.join()
    assert not interruption.armed
    assert signal.getsignal(signal.SIGUSR1) == before


def test_a_task_is_not_started_when_the_signal_came_a_moment_before() -> None:
    interruption = Interruption()
    started: list[int] = []
    with interruption.installed():
        interruption.interrupt()
        with pytest.raises(Interrupted):
            evaluate(interruption, (started.append, (1,)))
    assert started == []


def test_a_signal_between_tasks_does_nothing() -> None:
    interruption = Interruption()
    with interruption.installed():
        interruption.interrupt()
        assert sum(range(1000)) == 499500


def test_a_pause_between_two_runs_is_interrupted_too() -> None:
    interruption = Interruption()
    with interruption.installed():
        interruption.interrupt()
        with pytest.raises(Interrupted):
            interruption.sleep(60)
    assert not interruption.armed


def test_whoever_insists_is_told_when_nothing_helps() -> None:
    interruption = Interruption()
    with interruption.installed():
        assert not interruption.insist(threading.Event(), 0.05)
        assert interruption.can_end_process
    assert not interruption.can_end_process
