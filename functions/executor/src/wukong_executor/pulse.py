"""Renews a holder's lease from a process of its own, however long a task keeps the interpreter.

Theory of operation
-------------------
The beat's thread renews the lease, but runs only when the interpreter lock is free. A task that is busy in C code and
does not give the lock back would lose its record, and be run a second time. So each environment has a second process,
the pulse, forked before its first task runs: a copy of the environment that does nothing but wait at a pipe. The
environment writes there what it holds; from then on the pulse renews the lease, several times within a lease, on a
connection of its own, which it makes when the first such time comes. Short jobs never get that far.

The pulse speaks for its parent, so it must not outlive it, nor speak for one that is stopped (SIGSTOP): others shall
take over then. It looks at the parent before it renews. The pipe tells it of the parent's end at once, unless a task
started processes that have the pipe too; then the number of its parent, which changes, does. It is in the
environment's process group, so that whoever ends that ends it too; and an environment that Lambda freezes is frozen
with it.

Forking copies no thread, so a lock that another one holds stays locked for ever in the copy. At the first invocation
there is no other thread that does anything. When a pulse was killed, the next one is forked between two invocations,
when all threads of the environment are idle, and no library's lock is held.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import warnings
from typing import NoReturn

from wukong.errors import WukongError
from wukong.mds.redis import RedisMds
from wukong.mds.store import Status

#: Renewals within one lease.
RENEWALS = 4

#: States of a process, as /proc tells them, in which others shall take over: stopped, traced; ended.
STOPPED = "Tt"
DEAD = "ZXx"


#: Seconds between looks at the parent while nothing is held.
IDLE_SECONDS = 10.0

#: What the environment says: the arguments of a renewal, or nothing.
_Held = dict[str, str | int | float]


class Pulse:
    """The environment's side.

    Args:
        address: host:port of the metadata store.
        password: Its password.
        user: Whose password it is; empty for the default user.
        authority: Who vouches for it (PEM); empty for one that speaks in the clear.
    """

    def __init__(self, address: str, password: str, user: str = "", authority: str = "") -> None:
        self._address = address
        self._password = password
        self._user = user
        self._authority = authority
        self._pipe = -1
        self.pid = 0
        self._fork()

    @property
    def pipe(self) -> int:
        """The number of the open file through which the process is told."""
        return self._pipe

    def hold(self, job: str, record: str, token: str, generation: int, lease: float) -> None:
        """From now on the record's lease is renewed."""
        said: _Held = {"job": job, "record": record, "token": token, "generation": generation, "lease": lease}
        if not self._say(said):
            self._fork()
            self._say(said)

    def rest(self) -> None:
        """Nothing is held any more."""
        self._say(None)

    def close(self) -> None:
        """End the process."""
        os.close(self._pipe)
        with contextlib.suppress(ChildProcessError):  # whoever forked the environment may have waited for it
            os.waitpid(self.pid, 0)

    def _say(self, message: _Held | None) -> bool:
        try:
            os.write(self._pipe, json.dumps(message).encode() + b"\n")  # short: never a part of it
        except BrokenPipeError:
            return False
        except BlockingIOError:
            pass  # it is stopped, and does not read
        return True

    def _fork(self) -> None:
        if self.pid:
            self.close()
        theirs, ours = os.pipe()
        parent = os.getpid()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # about threads: see above
            pid = os.fork()
        if pid == 0:
            mds = RedisMds(self._address, password=self._password, user=self._user, authority=self._authority)
            _run(theirs, parent, mds)
        os.close(theirs)
        os.set_blocking(ours, False)
        self._pipe, self.pid = ours, pid


def _run(pipe: int, parent: int, mds: RedisMds) -> NoReturn:
    """Be the pulse, until the parent has ended. Whatever happens, nothing of the environment's own goes on here."""
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        _let_go(pipe)
        gc.freeze()  # looking through what it shares with the environment would copy it
        _serve(pipe, parent, mds)
    finally:
        os._exit(0)


def _let_go(pipe: int) -> None:
    """Close all that belongs to the environment: its output, which somebody reads to the end, and its connections."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and fd != pipe:
            with contextlib.suppress(OSError):
                os.close(fd)


def _serve(pipe: int, parent: int, mds: RedisMds) -> None:
    told = b""
    held: _Held | None = None
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while True:
        pause = IDLE_SECONDS if held is None else float(held["lease"]) / RENEWALS
        if poll.poll(pause * 1000):
            part = os.read(pipe, 65536)
            if not part:
                return
            *lines, told = (told + part).split(b"\n")
            if lines:
                held = json.loads(lines[-1])
            continue
        state = parent_state(parent)
        if state in DEAD:
            return
        if held is not None and state not in STOPPED and not _renew(mds, held):
            held = None


def _renew(mds: RedisMds, held: _Held) -> bool:
    """Renew; returns whether it makes sense to go on."""
    try:
        status = mds.renew(
            str(held["job"]), str(held["record"]), str(held["token"]), int(held["generation"]), float(held["lease"])
        )
    except WukongError:
        return True  # the store is away; it may be back before the lease runs out
    return status is Status.OK


def parent_state(parent: int) -> str:
    """The state of this process's parent, as one letter of /proc; X where it is not `parent` any more."""
    if os.getppid() != parent:
        return "X"
    try:
        with open(f"/proc/{parent}/stat", "rb") as file:
            return state_of(file.read())
    except OSError:
        return "X"


def state_of(stat: bytes) -> str:
    """The state in a line of /proc/PID/stat. The program's name before it may have any characters."""
    return stat.rpartition(b")")[2].split()[0].decode()
