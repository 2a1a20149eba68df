"""What is done to a running job. Each fault happens when its block is entered, and is over when the block is left."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import psutil
from tests.soak.log_tail import LogTail
from tests.soak.notes import Notes
from tests.soak.stores import Stores

from wukong import LocalCluster

#: Seconds of every executor's lease.
LEASE = 2.0

#: Seconds for which an environment that is starved stands still, and then runs: far less than a lease.
STOPS = (0.05, 0.4)
RUNS = (0.005, 0.05)


class Missed(Exception):
    """There was nothing to hit at that moment."""


@dataclass(frozen=True)
class Target:
    """A running job, and where it runs.

    Attributes:
        cluster: The cluster.
        stores: Its stores.
        job: The job's id.
        notes: What its tasks note.
        log: What the metadata store has written to its log, and when.
        chance: Where moments and lengths are drawn from.
    """

    cluster: LocalCluster
    stores: Stores
    job: str
    notes: Notes
    log: LogTail
    chance: random.Random

    @contextmanager
    def stopped(self) -> Iterator[psutil.Process]:
        """One of the environments, stopped in the middle of a task. It goes on afterwards.

        Raises:
            Missed: The job has ended.
        """
        while True:
            self.running()
            alive = {pid for role, pid in self.cluster.processes() if role == "environment"}
            if pids := [pid for pid in self.notes.at_work() if pid in alive]:
                with _stopped(self.chance.choice(pids)) as environment:
                    # It may have ended its task before it stood still, or be gone.
                    if environment is not None and environment.pid in self.notes.at_work():
                        yield environment
                        return
            time.sleep(0.001)

    def running(self) -> None:
        """Raise `Missed` unless the job runs."""
        if self.stores.state(self.job) != "running":
            raise Missed


@contextmanager
def kill(target: Target) -> Iterator[None]:
    """An environment is killed in the middle of a task."""
    with target.stopped() as environment:
        environment.kill()
        yield


@contextmanager
def pause(target: Target) -> Iterator[None]:
    """An environment is stopped in the middle of a task, and wakes when its lease is over."""
    seconds = LEASE * target.chance.uniform(1.1, 2.0)
    with target.stopped() as environment:
        waking = threading.Timer(seconds, _resume, (environment,))
        waking.start()
        try:
            yield
        finally:
            waking.join()


@contextmanager
def starve(target: Target) -> Iterator[None]:
    """An environment is stopped again and again, each time for less than its lease: it is slow, and alive."""
    chance, over = random.Random(target.chance.random()), threading.Event()

    def stop_and_go(environment: psutil.Process) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            while not over.is_set():
                environment.suspend()
                over.wait(chance.uniform(*STOPS))
                environment.resume()
                over.wait(chance.uniform(*RUNS))

    with target.stopped() as environment:
        noted = target.notes.noted_by(environment.pid)
        thread = threading.Thread(target=stop_and_go, args=(environment,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
    if target.notes.noted_by(environment.pid) == noted:
        raise Missed  # it did no more after the first stop, not even what it was at


@contextmanager
def kill_node(target: Target) -> Iterator[None]:
    """The server of a KVS node is killed, with values of the job. It comes back empty."""
    while not (holding := target.stores.holding(target.job)):
        target.running()
        time.sleep(0.005)
    server = target.stores.servers()[1 + target.chance.choice(holding)]
    target.running()
    server.kill()
    yield


@contextmanager
def kill_control(target: Target) -> Iterator[None]:
    """The process of the scheduler and the proxy is killed, and with it everything that it had started."""
    pid = dict(target.cluster.processes())["control"]
    target.running()
    os.kill(pid, signal.SIGKILL)
    yield


@contextmanager
def kill_mds(target: Target) -> Iterator[None]:
    """The server of the metadata store is killed. It comes back with all that it had acknowledged."""
    server = target.stores.servers()[0]
    target.running()
    server.kill()
    yield


@contextmanager
def forget(target: Target) -> Iterator[None]:
    """The same, but what it acknowledged in its last second is not in its file."""
    server = target.stores.servers()[0]
    keeper = dict(target.cluster.processes())["storekeeper"]
    with _stopped(keeper):  # it would start the server at once
        target.running()
        server.kill()
        _until(lambda: server.status() == psutil.STATUS_ZOMBIE)
        if not target.log.cut(1.0):
            raise Missed
    yield


FAULTS: dict[str, Callable[[Target], AbstractContextManager[None]]] = {
    "kill": kill,
    "pause": pause,
    "starve": starve,
    "kvs-node": kill_node,
    "control": kill_control,
    "mds": kill_mds,
    "mds-forgets": forget,
}


#: The part that the cluster has to start again after a fault.
KILLED = {"kvs-node": "kvs-node", "control": "control", "mds": "mds", "mds-forgets": "mds"}


@contextmanager
def _stopped(pid: int) -> Iterator[psutil.Process | None]:
    """A process that stands still, and goes on afterwards; None if it has ended."""
    try:
        process = psutil.Process(pid)
        process.suspend()
        _until(lambda: process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE))
    except psutil.NoSuchProcess:
        yield None
        return
    try:
        yield process
    finally:
        _resume(process)


def _resume(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.resume()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)
