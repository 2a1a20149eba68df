"""The `process` provider: environments are processes that the zygote forks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import time

from wukong_lambda_emulator import memory
from wukong_lambda_emulator.launch import Launch
from wukong_lambda_emulator.provider import Exit, ProviderUnavailable

_log = logging.getLogger(__name__)

# How long the zygote, which is started at the same time, may take until its socket is there; and one that takes the
# place of a zygote that ended.
PATIENCE_SECONDS = 30.0
REPLACEMENT_SECONDS = 5.0

_ENDED = "the zygote ended, and the environment with it"

POLL_SECONDS = 0.1
# Which processes belong to an environment is looked up on every so many polls.
POLLS_PER_LOOKUP = 5


class ZygoteSandbox:
    """One forked environment: a connection to the zygote that lives as long as the process."""

    address = "127.0.0.1"

    def __init__(self, pid: int, limit: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pid = pid
        self.exited: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.limit = limit
        #: The environment's processes, as last looked up.
        self.pids = [pid]
        self._peak = 0
        self._out_of_memory = False
        self._reader = reader
        self._writer = writer
        self._following = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        try:
            line = await self._reader.readline()
        except OSError:
            line = b""
        self._writer.close()
        if line:
            self.exited.set_result(Exit(json.loads(line)["status"], self._out_of_memory))
        else:
            self.exited.set_result(Exit(-9, trouble=_ENDED))

    def kill(self) -> None:
        """End the process group."""
        if not self.exited.done():
            self._writer.write(b"kill\n")

    def used_bytes(self) -> int:
        """The most that the first process was seen to hold, or all of them where that was looked into."""
        if not self.exited.done():
            self._peak = max(self._peak, memory.resident(self.pid))
        return self._peak

    async def watch(self) -> None:
        """Kill the environment if it holds more than its limit."""
        sizes = [memory.resident(pid) for pid in self.pids]
        used = sum(sizes)
        if used > self.limit and len(sizes) > 1:
            used = await asyncio.to_thread(memory.proportional, self.pids)
        self._peak = max(self._peak, used if used > self.limit else max(sizes, default=0))
        if used > self.limit and not self.exited.done():
            self._out_of_memory = True
            _log.warning(
                "environment %d holds %.0f MiB, above its limit of %.0f MiB, and is ended",
                self.pid,
                used / 2**20,
                self.limit / 2**20,
            )
            self.kill()


class ZygoteProvider:
    """A client of the zygote at a Unix socket."""

    host = ""

    def __init__(self, path: str) -> None:
        self._path = path
        self._patience = PATIENCE_SECONDS
        self._sandboxes: set[ZygoteSandbox] = set()
        self._watching = asyncio.create_task(self._watch())

    async def start(self, launch: Launch, output: int) -> ZygoteSandbox:
        """Have the zygote fork."""
        connection = await self._connect()
        try:
            # One small message into a fresh socket never blocks.
            request = launch.encode()
            if socket.send_fds(connection, [request], [output]) < len(request):
                raise ProviderUnavailable(f"the environment variables are too large: {len(request):,} bytes")
            reader, writer = await asyncio.open_unix_connection(sock=connection)
        except OSError as error:
            connection.close()
            raise ProviderUnavailable(_ENDED) from error
        except BaseException:
            connection.close()
            raise
        try:
            line = await reader.readline()
            if not line:
                raise ProviderUnavailable(_ENDED)
            answer = json.loads(line)
            if "error" in answer:
                raise ProviderUnavailable(answer["error"])
        except OSError as error:
            writer.close()
            raise ProviderUnavailable(_ENDED) from error
        except BaseException:
            writer.close()  # The zygote takes the end of the connection as the order to kill.
            raise
        sandbox = ZygoteSandbox(answer["pid"], launch.memory_bytes, reader, writer)
        self._sandboxes.add(sandbox)
        sandbox.exited.add_done_callback(lambda _: self._sandboxes.discard(sandbox))
        return sandbox

    async def close(self) -> None:
        """Kill all environments and wait until they are gone."""
        self._watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watching
        sandboxes = list(self._sandboxes)
        for sandbox in sandboxes:
            sandbox.kill()
        await asyncio.gather(*(sandbox.exited for sandbox in sandboxes))

    async def _connect(self) -> socket.socket:
        deadline = time.monotonic() + self._patience
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.setblocking(False)
            try:
                connection.connect(self._path)
            except (FileNotFoundError, ConnectionRefusedError, BlockingIOError) as error:
                connection.close()
                if time.monotonic() > deadline:
                    raise ProviderUnavailable(
                        f"no environment can be started: no zygote listens on {self._path}, "
                        f"and none came in {self._patience:g} s"
                    ) from error
                await asyncio.sleep(0.01)
            else:
                self._patience = REPLACEMENT_SECONDS
                return connection

    async def _watch(self) -> None:
        polls = 0
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if not self._sandboxes:
                continue
            try:
                if polls % POLLS_PER_LOOKUP == 0:
                    families = memory.members(sandbox.pid for sandbox in self._sandboxes)
                    for sandbox in self._sandboxes:
                        sandbox.pids = families[sandbox.pid] or [sandbox.pid]
                polls += 1
                await asyncio.gather(*(sandbox.watch() for sandbox in list(self._sandboxes)))
            except Exception:  # Whatever it was, the next look must still come.
                _log.exception("the memory of environments could not be looked at")
