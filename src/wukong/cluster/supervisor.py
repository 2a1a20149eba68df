"""Keeps an embedded cluster alive, from the user's process, and ends it with that.

Theory of operation
-------------------
The user's process has two children, each of which owns a part of the cluster:

    user's process
      |- storekeeper     Valkey servers (MDS, KVS nodes)
      |- control         scheduler, proxy, node agents, emulator
           |- zygote     environments, pulses

Each process starts its own children again when they end, and the user's starts these two, by one thread for each that
does nothing but wait for it. What starts again is where it was: ports that were chosen once stand in files in the
cluster's folder (`Whereabouts`). So whoever is killed, the others go on and only have to reconnect:

* a server: the metadata store comes back with its append-only file, a KVS node empty;
* the storekeeper: its servers end with it, and come back as above;
* the control process: the zygote and all environments end with it; jobs are in the stores, and their records are
  invoked again when the leases have run out;
* the zygote: all environments end with it.

A part that ends again and again is given up (`Restarts`), and the cluster with it; every later call says why.

Nothing outlives the user's process. It alone holds the write end of the lifeline, a pipe that both children read
from: they end, with their process groups, when it closes, whatever ends the user's process. The zygote has a
lifeline of its own that control holds, the servers die with the storekeeper's main thread (Linux's parent-death
signal). So the end goes down the tree from whatever point it starts at, in any order of ends. A process that the user
forks (multiprocessing, say) gives its copy of the lifeline up at once, or the cluster would live as long as that does.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from wukong.cluster.interpreter import python_module
from wukong.cluster.kept import Kept
from wukong.cluster.plan import Plan
from wukong.cluster.process import ControlProcess, kill_group
from wukong.cluster.valkey import tail
from wukong.cluster.whereabouts import SERVICES, STORES, Whereabouts
from wukong.errors import ClusterUnavailable

#: Seconds between looks whether a control process that was started again answers.
_LOOK = 0.05


class Supervisor:
    """An embedded cluster's processes. Owns the plan's folder, and removes it in the end.

    Attributes:
        address: Where the scheduler listens, once `wait_ready` has returned.
    """

    def __init__(self, plan: Plan, environ: Mapping[str, str]) -> None:
        self.address = ""
        self._plan = plan
        self._owner = os.getpid()
        self._closed = False
        self._trouble = ""
        self._giving_up = threading.Lock()
        self._kept: list[Kept] = []
        self._watched, self._lifeline = os.pipe()
        try:
            for name, start in (
                ("storekeeper", lambda: StorekeeperProcess(plan, environ, self._watched)),
                ("control", lambda: ControlProcess(plan, environ, self._watched)),
            ):
                self._kept.append(Kept(name, start, self._give_up))
        except BaseException:
            self.close()
            raise
        _alive.add(self)

    def wait_ready(self) -> None:
        """Return when the cluster accepts jobs. From then on its parts are started again when they end.

        Raises:
            ClusterUnavailable: A part did not start; says which, why, and what its log ends with.
        """
        control = self._control()
        control.wait_ready()
        self.address = control.address
        for kept in self._kept:
            kept.keep()

    def processes(self) -> list[tuple[str, int]]:
        """Role and process id of everything that runs now. Waits for a control process that is being started again.

        Raises:
            ClusterUnavailable: The cluster was given up, or does not come back in the time that it had to start.
        """
        deadline = time.monotonic() + self._plan.startup_timeout
        while True:
            self.check()
            try:
                listed = self._control().processes()
            except ClusterUnavailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK)
            else:
                return [*listed, ("storekeeper", cast("StorekeeperProcess", self._kept[0].child).pid)]

    def check(self) -> None:
        """Return if the cluster is kept.

        Raises:
            ClusterUnavailable: It was given up; says why.
        """
        if self._trouble:
            raise ClusterUnavailable(self._trouble)

    def logs(self) -> dict[str, str]:
        """What each part wrote to its log so far, by the part's name."""
        folder = Path(self._plan.folder)
        return {path.stem: path.read_text(errors="replace") for path in sorted(folder.glob("*.log"))}

    def close(self) -> None:
        """End everything and remove the logs. Nothing when called again, or in a forked copy of the owner."""
        if os.getpid() != self._owner or self._closed:
            return
        self._closed = True
        _alive.discard(self)
        try:
            for kept in reversed(self._kept):
                kept.close()
        finally:
            self.disown()
            shutil.rmtree(self._plan.folder, ignore_errors=True)

    def disown(self) -> None:
        """Let go of what keeps the cluster alive; a forked copy of the owner does no more than that."""
        for end in (self._lifeline, self._watched):
            with contextlib.suppress(OSError):
                os.close(end)
        for kept in self._kept:
            kept.child.hang_up()

    def _control(self) -> ControlProcess:
        return cast("ControlProcess", self._kept[1].child)

    def _give_up(self, name: str, why: str) -> None:
        with self._giving_up:
            if self._trouble:
                return
            part, text = name, why
            for file in (STORES, SERVICES):
                told = Whereabouts.read(Path(self._plan.folder) / file)
                part, text = told.trouble if told.trouble[0] else (part, text)
            if text == why:
                text = f"{why}; the last lines of its log:\n{tail(self.logs().get(name, ''))}"
            self._trouble = f"the embedded cluster gave up, because its part {part!r} could not be kept: {text}"
        for kept in self._kept:
            if kept.name != name:
                kept.close()


class StorekeeperProcess:
    """One life of the process that owns the stores. It is a `wukong.cluster.kept.Child`."""

    def __init__(self, plan: Plan, environ: Mapping[str, str], lifeline: int) -> None:
        with (Path(plan.folder) / "storekeeper.log").open("ab") as log:
            self._process = subprocess.Popen(
                python_module("wukong.cluster.storekeeper", plan.path, "--lifeline", str(lifeline)),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(environ),
                pass_fds=[lifeline],
                start_new_session=True,
            )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:
            stdin.write(plan.to_json().encode() + b"\n")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_ready(self) -> None:
        """Nothing: whoever needs the stores waits for them."""

    def wait(self) -> int:
        """Wait for its end; returns its exit code."""
        return self._process.wait()

    def end(self) -> None:
        """The same as `kill`: the servers hold nothing worth a graceful end."""
        self.kill()

    def kill(self) -> None:
        """End it and the servers."""
        kill_group(self._process)

    def hang_up(self) -> None:
        """Nothing: it is told nothing after its start."""


#: What this process started and has not ended.
_alive: weakref.WeakSet[Supervisor] = weakref.WeakSet()


def _disown_all() -> None:
    for supervisor in list(_alive):
        supervisor.disown()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_disown_all)
