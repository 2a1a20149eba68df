"""The process that owns the stores' servers: `python -m wukong.cluster.storekeeper --lifeline FD`, the plan on stdin.

Theory of operation
-------------------
What the stores hold must not end with the process that runs the services, so another one owns their servers; it does
nothing else, and so has no reason to end. It starts each server on a port that is free, writes where they are into a
file (`Whereabouts`), and from then on waits for the end of any of them. One that ends is started again on its port:
the metadata store with all that it had acknowledged, a KVS node empty. A server that ends again and again is given up,
and with it the cluster: this process says so in the file and ends with the code `GAVE_UP`.

How all this ends: a server dies with this process's main thread (`lifeline.py`), which started it; this process ends
as soon as the user's is gone, and takes its process group along. When this process alone is killed, its servers are
gone too, and the user's process starts another one, which finds the ports in the file.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from wukong.cluster import lifeline
from wukong.cluster.kept import GAVE_UP
from wukong.cluster.plan import Plan
from wukong.cluster.restarts import Restarts
from wukong.cluster.roles import Role
from wukong.cluster.valkey import ValkeyServer, tail
from wukong.cluster.whereabouts import STORES, Place, Whereabouts
from wukong.errors import ClusterUnavailable

#: Times that the folder is removed, in case that somebody else still writes into it.
_REMOVALS = 20

log = logging.getLogger("wukong.cluster.storekeeper")


class Storekeeper:
    """The servers of one embedded cluster."""

    def __init__(self, plan: Plan) -> None:
        folder = Path(plan.folder)
        self._folder = folder
        self._deadline = time.monotonic() + plan.startup_timeout
        self._told = Whereabouts.read(folder / STORES)
        self._servers = {
            name: ValkeyServer(
                folder,
                name,
                user=Role.ADMINISTRATOR,
                password=plan.store_passwords[Role.ADMINISTRATOR],
                users=plan.users(name),
                program=plan.store_program,
                sockets=plan.store_sockets,
                durable=name == "mds",
                memory_mb=None if name == "mds" else plan.kvs_memory_mb,
            )
            for name in plan.stores()
        }
        self._restarts = {name: Restarts() for name in self._servers}
        self._ready: dict[str, float] = {}
        self._ending = False

    def run(self) -> int:
        """Start the servers and keep them; returns, with the code to end with, only when that cannot be done."""
        for name, server in self._servers.items():
            server.start(self._told.listen(name, ""))
        for name, server in self._servers.items():
            try:
                server.wait_ready(self._deadline)
            except ClusterUnavailable as error:
                return self._give_up(name, str(error))
            self._ready[name] = time.monotonic()
            self._told.places[name] = Place(server.address, server.pid)
            self._told.write()
        while True:
            pid, status = os.wait()
            if self._ending:
                threading.Event().wait()  # the other thread ends this process
            for name, server in self._servers.items():
                if server.pid == pid:
                    server.reaped(os.waitstatus_to_exitcode(status))
                    if not self._start_again(name, server):
                        return GAVE_UP

    def end(self) -> None:
        """End the servers, and remove the folder that they write into. For another thread than the one of `run`."""
        self._ending = True
        for server in self._servers.values():
            with contextlib.suppress(ProcessLookupError):
                if server.pid:
                    os.kill(server.pid, signal.SIGKILL)
                    server.close_short_way()
        for _ in range(_REMOVALS):
            shutil.rmtree(self._folder, ignore_errors=True)
            if not self._folder.exists():
                break
            time.sleep(0.01)

    def _start_again(self, name: str, server: ValkeyServer) -> bool:
        pause = self._restarts[name].ended(time.monotonic() - self._ready[name])
        if pause is None:
            text = tail(server.log.read_text(errors="replace"))
            self._give_up(name, f"the server of {name} ends again and again; its last lines:\n{text}")
            return False
        log.warning("the server of %s ended; starting it again on %s", name, server.address)
        time.sleep(pause)
        server.start(server.address)
        self._ready[name] = time.monotonic()
        self._told.places[name] = Place(server.address, server.pid)
        self._told.write()
        return True

    def _give_up(self, name: str, why: str) -> int:
        log.error("%s", why)
        self._told.trouble = (name, why)
        self._told.write()
        for server in self._servers.values():
            server.close()
        return GAVE_UP


def wait_for_stores(folder: Path, name: str, deadline: float) -> Mapping[str, Place]:
    """Where the stores are, as soon as one of them answers.

    Args:
        folder: The cluster's.
        name: The one to wait for.
        deadline: In seconds of `time.monotonic()`.

    Raises:
        ClusterUnavailable: It cannot be started.
        TimeoutError: It is not there at the deadline.
    """
    while True:
        told = Whereabouts.read(folder / STORES)
        if told.trouble[0] == name:
            raise ClusterUnavailable(told.trouble[1])
        if name in told.places:
            return told.places
        if time.monotonic() > deadline:
            raise TimeoutError(f"the store {name} is not there in time")
        time.sleep(0.002)


def main() -> None:
    """Run the storekeeper."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    parser = argparse.ArgumentParser(prog="wukong.cluster.storekeeper", description="owns LocalCluster's stores")
    parser.add_argument("--lifeline", type=int, required=True, help="read end of the lifeline")
    arguments = parser.parse_args()
    keeper = Storekeeper(Plan.from_json(sys.stdin.readline()))

    def end_all() -> None:
        keeper.end()
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)

    lifeline.watch(arguments.lifeline, end_all)
    sys.exit(keeper.run())


if __name__ == "__main__":
    main()
