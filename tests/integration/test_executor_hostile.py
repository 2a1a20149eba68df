"""Tasks that behave badly, on a real cluster: the user sees what went wrong at once, and the next job runs as ever.

One environment serves all jobs in turn, so whatever a task breaks in it, the next one would meet.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest

from wukong import Client, LocalCluster, TaskError

#: So long that no test here waits for it, not even on a busy machine.
LEASE_SECONDS = 60.0


@pytest.fixture(scope="module")
def alone() -> Iterator[LocalCluster]:
    with LocalCluster(environments=1, lease_seconds=LEASE_SECONDS) as cluster:
        yield cluster


@pytest.fixture
def client(alone: LocalCluster) -> Iterator[Client]:
    with Client(alone) as client:
        yield client
        assert client.get({"after": (abs, -1)}, "after") == 1


@pytest.fixture
def at_once() -> Iterator[None]:
    """The test takes a few seconds, not the lease of an executor that died."""
    before = time.monotonic()
    yield
    assert time.monotonic() - before < LEASE_SECONDS


def test_an_environment_that_a_task_has_broken_serves_no_other_job(client: Client) -> None:
    """What the task took away is not found by the next executor."""

    def take() -> int:
        time.sleep(0.01)
        threading.Lock = None  # type: ignore[assignment, misc]
        threading.Condition = None  # type: ignore[assignment, misc]
        return 1

    assert client.get({"a": (take,)}, "a") == 1


class Trap:
    """Pickles well, and raises where it is unpickled on an executor."""

    def __reduce__(self) -> Any:
        return _spring, ()


def _spring() -> NoReturn:
    raise ValueError("the trap shut")


def small(_: Any = None) -> int:
    time.sleep(0.01)
    return 1


def test_a_result_that_cannot_be_pickled_names_its_task(client: Client, at_once: None) -> None:
    with pytest.raises(TypeError, match=r"type _thread\.lock cannot be pickled") as caught:
        client.get({("a", 7): (threading.Lock,), "b": (small,)}, [("a", 7), "b"])
    assert "value of task ('a', 7)" in caught.value.__notes__[0]
    assert isinstance(caught.value.__cause__, TaskError)
    assert caught.value.__cause__.key == ("a", 7)


def test_a_result_that_cannot_be_pickled_ends_a_task_that_runs_long(client: Client, at_once: None) -> None:
    """It is packed by the beat, while the main thread is in another task."""
    dsk: dict[Any, Any] = {("a", 7): (threading.Lock,), "b": (time.sleep, 60)}
    with pytest.raises(TypeError, match=r"type _thread\.lock cannot be pickled") as caught:
        client.get(dsk, [("a", 7), "b"])
    assert isinstance(caught.value.__cause__, TaskError)
    assert caught.value.__cause__.key == ("a", 7)


def test_a_value_that_cannot_be_unpickled_ends_the_job() -> None:
    """It has to cross from one executor to another."""

    def trap(_: Any) -> Trap:
        time.sleep(0.2)
        return Trap()

    def count(*parts: Any) -> int:
        return len(parts)

    dsk: dict[Any, Any] = {("t", i): (trap, i) for i in range(8)}
    dsk["all"] = (count, *dsk)
    with LocalCluster(environments=2, lease_seconds=LEASE_SECONDS) as cluster, Client(cluster) as client:
        before = time.monotonic()
        with pytest.raises(ValueError, match="the trap shut") as caught:
            client.get(dsk, "all")
        assert time.monotonic() - before < LEASE_SECONDS
    assert isinstance(caught.value.__cause__, TaskError)
    assert caught.value.__cause__.key in dsk


def raise_bare(error: BaseException) -> NoReturn:
    raise error


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit, asyncio.CancelledError])
def test_exceptions_that_are_no_exceptions_end_the_job(client: Client, at_once: None, kind: Any) -> None:
    with pytest.raises(TaskError, match=kind.__name__):
        client.get({"a": (raise_bare, kind("enough"))}, "a")


class MuteError(Exception):
    """Cannot even say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_an_exception_that_cannot_be_printed(client: Client, at_once: None) -> None:
    def mute() -> NoReturn:
        raise MuteError

    with pytest.raises(MuteError):
        client.get({"a": (mute,)}, "a")


def test_an_exception_with_text_that_is_not_unicode(client: Client, at_once: None) -> None:
    with pytest.raises(ValueError, match="odd"):
        client.get({"a": (raise_bare, ValueError("odd \udc80 name"))}, "a")


def test_output_that_is_not_unicode(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert client.get({"a": (print, "odd \udc80 name")}, "a") is None
    assert "odd ? name" in capsys.readouterr().out


def test_a_closed_stdout(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    def close() -> int:
        sys.stdout.close()
        return 1

    assert client.get({"a": (close,)}, "a") == 1
    assert client.get({"b": (print, "still here")}, "b") is None
    assert "still here" in capsys.readouterr().out


def test_a_replaced_stdout_is_back_for_the_next_job(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    def replace() -> int:
        sys.stdout = None
        return 1

    assert client.get({"a": (replace,)}, "a") == 1
    assert client.get({"b": (print, "still here")}, "b") is None
    assert "still here" in capsys.readouterr().out


def test_a_logger_that_an_earlier_job_set_up_is_still_shown(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    def configure() -> None:
        logger = logging.getLogger("mine")
        logger.addHandler(logging.StreamHandler())
        logger.propagate = False
        logger.warning("first")

    def log() -> None:
        logging.getLogger("mine").warning("second")

    client.get({"a": (configure,)}, "a")
    assert "first" in capsys.readouterr().err
    client.get({"b": (log,)}, "b")
    assert "second" in capsys.readouterr().err


def test_lines_printed_by_threads_while_beats_take_them(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    def talk() -> None:
        def lines() -> None:
            end = time.monotonic() + 0.5
            number = 0
            while time.monotonic() < end and number < 4000:
                sys.stdout.write(f"{number}\n")
                number += 1

        threads = [threading.Thread(target=lines) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    client.get({"a": (talk,)}, "a")
    shown = [line.rpartition(" ")[2] for line in capsys.readouterr().out.splitlines()]
    assert sorted(shown).count("0") == 2


def test_tasks_that_fork(client: Client) -> None:
    def pool() -> Any:
        with multiprocessing.get_context("fork").Pool(2) as workers:
            return workers.map(abs, range(-4, 0))

    assert client.get({"a": (pool,)}, "a") == [4, 3, 2, 1]


@pytest.mark.parametrize(
    "change",
    [
        lambda: os.chdir("/"),
        lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN),
        lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
        lambda: logging.disable(),
        lambda: os.kill(os.getpid(), signal.SIGUSR1),
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)),
        lambda: [os.close(number) for number in (0, 1, 2)],
        lambda: os.closerange(3, 1024),
        lambda: os.closerange(0, 1024),
        lambda: threading.Thread(target=time.sleep, args=(30,)).start(),
        lambda: os.fork() or time.sleep(30),
    ],
    ids=["directory", "usr1", "term", "logging", "signal", "mask", "output", "files", "all-files", "thread", "child"],
)
def test_changes_of_the_process(client: Client, at_once: None, change: Callable[[], object]) -> None:
    def run() -> int:
        change()
        return 3

    assert client.get({"a": (run,)}, "a") == 3
    assert client.get({"b": (print, "still here")}, "b") is None
