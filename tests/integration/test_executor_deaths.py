"""Tasks that end the environment that runs them: each kind says what it was, of which task, and the next job runs.

The platform reports each death at once, so nobody waits for the lease, which is a minute here.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from wukong import Client, ExecutorLost, LocalCluster, TaskError

MAX_DEATHS = 5  # the default of WUKONG_MAX_DEATHS


@pytest.fixture(scope="module")
def frail() -> Iterator[LocalCluster]:
    with LocalCluster(environments=1, memory_mb=300, timeout=1, lease_seconds=60) as cluster:
        yield cluster


@pytest.fixture
def client(frail: LocalCluster) -> Iterator[Client]:
    before = time.monotonic()
    with Client(frail) as client:
        yield client
        assert client.get({"after": (abs, -1)}, "after") == 1
    assert time.monotonic() - before < 30


def _exit(*_: Any) -> None:
    os._exit(3)


def _crash(*_: Any) -> None:
    ctypes.string_at(0)


def _hog(*_: Any) -> int:
    return len(b"x" * 2**30)


def _sleep(*_: Any) -> None:
    time.sleep(30)


def _leave(*_: Any) -> None:
    sys.exit("enough")


@pytest.mark.parametrize(
    ("end", "said", "to_do"),
    [
        (_exit, "exit status 3", "function's log"),
        (_crash, "signal: segmentation fault", "function's log"),
        (_hog, "out of memory, with [0-9]+ of 300 MiB", "Use smaller chunks, or a larger memory_mb"),
        (_sleep, r"time limit \(Task timed out after 1.00 seconds\)", "Cut the task into smaller ones, or raise"),
    ],
    ids=["exit", "crash", "memory", "time"],
)
def test_a_task_that_ends_its_environments_is_named_with_the_cause(
    client: Client, end: Any, said: str, to_do: str
) -> None:
    dsk = {"before": (abs, -1), ("x", 1): (end, "before"), "after": (abs, ("x", 1))}
    with pytest.raises(ExecutorLost, match=said) as told:
        client.get(dsk, "after")
    assert told.value.task == ("x", 1)
    assert f"task ('x', 1) was lost: the task ended {MAX_DEATHS} executors" in str(told.value)
    assert to_do in str(told.value)


def test_a_task_that_leaves_the_program_ends_the_job_and_no_environment(client: Client) -> None:
    with pytest.raises(TaskError, match="SystemExit: enough") as told:
        client.get({("x", 1): (_leave,)}, ("x", 1))
    assert told.value.key == ("x", 1)
