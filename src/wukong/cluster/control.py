"""The control process of an embedded cluster: `python -m wukong.cluster.control --channel FD --lifeline FD`.

It starts the zygote as its child, and the scheduler, the KVS proxy, the KVS nodes' agents and the Lambda emulator as
asyncio servers in one loop of its own. The stores' servers are the storekeeper's, which starts at the same time.
Order of start: what runs in other processes first, so that it starts while this process imports the services; then
the proxy, then those that need its address, the scheduler last. Where each service listens stands in a file
(`Whereabouts`), and a control process that takes the place of one that was killed has them listen there again.

Its dialog with the user's process is one JSON object a line, over a socket: it reads the `Plan`, writes
`{"part": name}` whenever it turns to a part, then `{"ready": {...}}` or `{"error": text, "part": name}`; then
it answers `{"ask": "processes"}` until `{"ask": "stop"}` or the end of the dialog.

How everything ends: when told to, in order; when the user's process is gone, at once, by killing the
process group, which is this process and its descendants (it is started as the leader of a new session); when
this process is killed, the zygote ends, whose lifeline is a pipe that only this process holds open.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib.metadata
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from wukong import settings
from wukong.cluster import endpoints, lifeline
from wukong.cluster.huge_pages import with_huge_pages
from wukong.cluster.interpreter import python_module
from wukong.cluster.kept import GAVE_UP
from wukong.cluster.plan import FAILURES, PRELOAD, Plan
from wukong.cluster.ports import free_port
from wukong.cluster.restarts import Restarts
from wukong.cluster.storekeeper import wait_for_stores
from wukong.cluster.valkey import tail
from wukong.cluster.whereabouts import SERVICES, STORES, Place, Whereabouts
from wukong.errors import ClusterUnavailable, WukongError

if TYPE_CHECKING:
    from wukong.rpc.service import Service

    class Emulator(Service, Protocol):
        """The service that knows the environments."""

        def pids(self) -> list[int]:
            """The first process of each environment that runs now."""

        def relays(self) -> list[int]:
            """The processes that slow down the way to the stores."""

        def queue_url(self, name: str) -> str:
            """The URL of one of its queues."""


log = logging.getLogger("wukong.cluster.control")  # run as a program, this module has another name

_GROUP = "wukong.components"
#: Seconds that the services may take to end when told to.
_FAREWELL = 2.0
#: Seconds between looks at the zygote.
_LOOK = 0.1

Serve = Callable[[Mapping[str, str]], Awaitable["Service"]]


class _GivenUp(Exception):
    """Another start will not help; the reason is told."""


class Control:
    """The parts of one embedded cluster, started and ended."""

    def __init__(self, plan: Plan, say: Callable[[Mapping[str, Any]], None]) -> None:
        self._plan = plan
        self._folder = Path(plan.folder)
        self._told = Whereabouts.read(self._folder / SERVICES)
        #: The zygote's lifeline: the end to watch, and the one that nobody writes to.
        self._watched, self._held = os.pipe()
        self._say = say
        self._deadline = time.monotonic() + plan.startup_timeout
        self._part = "control"
        self._stores: Mapping[str, Place] = {}
        self._zygote: subprocess.Popen[bytes] | None = None
        self._services: list[Service] = []
        self._emulator: Emulator | None = None

    def run(self, channel: socket.socket) -> None:
        """Start everything, say so, serve until told to stop."""
        try:
            components = self._start_children()
            asyncio.run(self._serve(components, channel))
        except _GivenUp:
            sys.exit(GAVE_UP)
        except Exception as error:
            traceback.print_exc()
            self._say({"error": self._reason(error)})
            raise SystemExit(1) from error
        finally:
            self._end_children()

    def _turn_to(self, part: str) -> None:
        self._part = part
        self._say({"part": part})

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"it took longer than startup_timeout, {self._plan.startup_timeout:g} s"
        return str(error) if isinstance(error, WukongError) else f"{type(error).__name__}: {error}"

    def _start_children(self) -> dict[str, Serve]:
        plan = self._plan
        logging.getLogger("wukong").setLevel(plan.log_level)
        self._turn_to("zygote")
        installed = _components()
        self._start_zygote(plan.preload, installed)
        components: dict[str, Serve] = {}
        gc.disable()  # next to nothing of what is loaded is ever garbage
        for name in ("kvs-proxy", "kvs-node", "lambda-emulator", "scheduler"):
            self._turn_to(name)
            point = _component(name, installed)
            components[name] = point.load()
            logging.getLogger(point.module.partition(".")[0]).setLevel(plan.log_level)
        gc.freeze()
        gc.enable()
        for name in plan.stores():
            self._turn_to(name)
            self._stores = wait_for_stores(self._folder, name, self._deadline)
        return components

    def _start_zygote(self, preload: Sequence[str], installed: importlib.metadata.EntryPoints) -> None:
        command = python_module(
            _component("zygote", installed).module,
            self._plan.path,
            *("--socket", self._zygote_socket),
            *("--preload", ",".join(preload)),
            *("--lifeline", str(self._watched)),
        )
        with (self._folder / "zygote.log").open("ab") as log:
            self._zygote = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[self._watched],
                env=with_huge_pages(os.environ),
            )

    @property
    def _zygote_socket(self) -> str:
        return str(self._folder / "zygote")

    async def _serve(self, components: Mapping[str, Serve], channel: socket.socket) -> None:
        try:
            async with asyncio.timeout(self._deadline - time.monotonic()):
                address = await self._unless_zygote_ends(self._start_services(components))
            self._told.write()  # first: whoever takes this process's place shall find it
            self._say({"ready": {"address": address}})
            tasks = [asyncio.create_task(self._answer(channel)), asyncio.create_task(self._keep_zygote())]
            done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in others:
                task.cancel()
            for task in done:
                task.result()
        finally:
            await self._close_services()

    async def _start_services(self, components: Mapping[str, Serve]) -> str:
        plan, mds = self._plan, self._stores["mds"].address
        # Others are told of the emulator before it listens there, and its function is told itself.
        listen = self._told.listen("lambda-emulator", f"127.0.0.1:{free_port()}")
        self._turn_to("kvs-proxy")
        proxy = await self._start("kvs-proxy", components["kvs-proxy"], plan.proxy(mds, f"http://{listen}"))
        self._turn_to("kvs-node")
        started = (self._stores[name].address for name in plan.stores()[1:])
        for name, store in zip(plan.nodes(), plan.endpoints or started, strict=True):
            await self._start(name, components["kvs-node"], plan.node(name, store, proxy.address))
        self._turn_to("lambda-emulator")
        stores = [*(server.address for server in self._stores.values()), *plan.endpoints]
        environ = plan.emulator(listen, self._zygote_socket, mds, proxy.address, stores)
        emulator = cast("Emulator", await self._start("lambda-emulator", components["lambda-emulator"], environ))
        self._emulator = emulator
        self._turn_to("scheduler")
        failures = emulator.queue_url(FAILURES)
        environ = plan.scheduler(mds, proxy.address, f"http://{emulator.address}", failures)
        scheduler = await self._start("scheduler", components["scheduler"], environ)
        return scheduler.address

    async def _start(self, name: str, serve: Serve, environ: Mapping[str, str]) -> Service:
        listen = settings.LISTEN.name
        host, _, port = environ[listen].rpartition(":")
        # One that is free, unless the user wants a certain one, and the former one in any case.
        address = self._told.listen(name, environ[listen] if int(port) else f"{host}:{free_port()}")
        service = await serve({**environ, listen: address})
        self._services.append(service)
        self._told.places[name] = Place(service.address)
        return service

    async def _unless_zygote_ends(self, starting: Coroutine[Any, Any, str]) -> str:
        work, end = asyncio.create_task(starting), asyncio.create_task(self._zygote_end())
        try:
            await asyncio.wait((work, end), return_when=asyncio.FIRST_COMPLETED)
            if not end.done():
                return await work
            self._turn_to("zygote")
            raise ChildProcessError(f"it ended with code {await end}")
        finally:
            work.cancel()
            end.cancel()

    async def _zygote_end(self) -> int:
        assert self._zygote is not None
        # A thread that waits instead would have to be waited for itself.
        while (code := self._zygote.poll()) is None:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK)
        return code

    async def _keep_zygote(self) -> None:
        """Start another zygote when one ends: its environments' work is invoked again, and needs new ones."""
        restarts = Restarts()
        while True:
            started = time.monotonic()
            code = await self._zygote_end()
            pause = restarts.ended(time.monotonic() - started)
            if pause is None:
                text = tail((self._folder / "zygote.log").read_text(errors="replace"))
                self._told.trouble = ("zygote", f"it ended with code {code}; the last lines of its log:\n{text}")
                self._told.write()
                raise _GivenUp
            # Whatever a module did to it, the next one shall not meet it again.
            log.warning("the zygote ended with code %s; starting another without optional modules", code)
            await asyncio.sleep(pause)
            self._start_zygote(PRELOAD, _components())

    async def _answer(self, channel: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        channel.setblocking(False)
        text = b""
        while part := await loop.sock_recv(channel, 4096):
            *asked, text = (text + part).split(b"\n")
            for line in asked:
                if json.loads(line)["ask"] == "stop":
                    return
                answer = json.dumps({"processes": self._processes()})
                await loop.sock_sendall(channel, answer.encode() + b"\n")

    def _processes(self) -> list[tuple[str, int]]:
        assert self._zygote is not None
        listed = [("control", os.getpid()), ("zygote", self._zygote.pid)]
        listed += [("store", place.pid) for place in Whereabouts.read(self._folder / STORES).places.values()]
        assert self._emulator is not None
        listed += [("relay", pid) for pid in self._emulator.relays()]
        for environment in self._emulator.pids():
            listed.append(("environment", environment))
            listed += [("companion", pid) for pid in _children(environment)]
        return listed

    async def _close_services(self) -> None:
        while self._services:
            try:
                await asyncio.wait_for(self._services.pop().close(), _FAREWELL)
            except Exception:
                traceback.print_exc()

    def _end_children(self) -> None:
        if self._zygote is not None:
            self._zygote.terminate()  # it ends its environments
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._zygote.wait(_FAREWELL)
            self._zygote.kill()
            self._zygote.wait()
        try:  # nobody writes any more
            endpoints.clear(self._plan.endpoints, self._plan.kvs_namespace)
        except WukongError as error:
            log.warning("values of this cluster stay in a Redis endpoint until they expire: %s", error)


def _children(pid: int) -> list[int]:
    """The processes that a process has started and that run; none where the kernel does not tell."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread that has just ended, or the process
            found += map(int, children.read_text().split())
    return found


def _components() -> importlib.metadata.EntryPoints:
    """All components; to look for them costs a pass over all installed packages."""
    return importlib.metadata.entry_points(group=_GROUP)


def _component(name: str, among: importlib.metadata.EntryPoints) -> importlib.metadata.EntryPoint:
    for point in among.select(name=name):
        return point
    raise ClusterUnavailable(f"no installed package provides the component {name!r}; install wukong[local]")


def main() -> None:
    """Run the control process."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    parser = argparse.ArgumentParser(prog="wukong.cluster.control", description="LocalCluster's control process")
    parser.add_argument("--channel", type=int, required=True, help="socket of the dialog")
    parser.add_argument("--lifeline", type=int, required=True, help="read end of the lifeline")
    arguments = parser.parse_args()
    with socket.socket(fileno=arguments.channel) as channel:
        channel.set_inheritable(False)
        plan = Plan.from_json(_first_line(channel))

        def end_all() -> None:
            shutil.rmtree(plan.folder, ignore_errors=True)
            if os.getpgrp() == os.getpid():
                os.killpg(os.getpid(), signal.SIGKILL)

        lifeline.watch(arguments.lifeline, end_all)

        def say(message: Mapping[str, Any]) -> None:
            with contextlib.suppress(OSError):  # nobody listens any more: the lifeline ends this process
                channel.sendall(json.dumps(message).encode() + b"\n")

        Control(plan, say).run(channel)


def _first_line(channel: socket.socket) -> str:
    text = b""
    while not text.endswith(b"\n"):
        part = channel.recv(65536)
        if not part:
            raise SystemExit(0)  # the user's process is gone
        text += part
    return text.decode()


if __name__ == "__main__":
    main()
