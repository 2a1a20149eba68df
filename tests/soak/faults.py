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

    def at_work(self) -> psutil.Process:
        """One of the environments that are in the middle of a task.

        Raises:
            Missed: There is none.
        """
        alive = {pid for role, pid in self.cluster.processes() if role == "environment"}
        pids = [pid for pid in self.notes.at_work() if pid in alive]
        if not pids:
            raise Missed
        return psutil.Process(self.chance.choice(pids))

    def check(self, environment: psutil.Process) -> None:
        """Raise `Missed` unless an environment that stands still does so in the middle of a task."""
        if environment.pid not in self.notes.at_work():
            raise Missed

    def running(self) -> None:
        """Raise `Missed` unless the job runs."""
        if self.stores.state(self.job) != "running":
            raise Missed


@contextmanager
def kill(target: Target) -> Iterator[None]:
    """An environment is killed in the middle of a task."""
    environment = target.at_work()
    environment.send_signal(signal.SIGKILL)
    target.check(environment)
    yield


@contextmanager
def pause(target: Target) -> Iterator[None]:
    """An environment is stopped in the middle of a task, and wakes when its lease is over."""
    environment = target.at_work()
    seconds = LEASE * target.chance.uniform(1.1, 2.0)
    with _stopped(environment):
        target.check(environment)
        waking = threading.Timer(seconds, _resume, (environment,))
        waking.start()
        try:
            yield
        finally:
            waking.join()


@contextmanager
def starve(target: Target) -> Iterator[None]:
    """An environment is stopped again and again, each time for less than its lease: it is slow, and alive."""
    environment = target.at_work()
    begun, over = target.notes.begun_by(environment.pid), threading.Event()
    chance = random.Random(target.chance.random())

    def stop_and_go() -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            while not over.is_set():
                environment.suspend()
                over.wait(chance.uniform(*STOPS))
                environment.resume()
                over.wait(chance.uniform(*RUNS))

    with _stopped(environment):
        target.check(environment)
        thread = threading.Thread(target=stop_and_go)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
    if target.notes.begun_by(environment.pid) == begun and environment.is_running():
        raise Missed  # it did no more after the first stop


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
    keeper = psutil.Process(dict(target.cluster.processes())["storekeeper"])
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
def _stopped(process: psutil.Process) -> Iterator[None]:
    """Stop a process, and see that it runs again afterwards."""
    process.suspend()
    try:
        _until(lambda: process.status() == psutil.STATUS_STOPPED)
        yield
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
