"""The emulator's side of the store relay: its process, and what it is asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
from typing import Any

from wukong.cluster.interpreter import python_module
from wukong_lambda_emulator.provider import ProviderUnavailable
from wukong_lambda_emulator.store_network import StoreNetwork

#: Seconds that the process may take to end.
_FAREWELL = 2.0


class RelayProcess:
    """A relay, started when this is made; see `store_relay`."""

    def __init__(self) -> None:
        self._mine, theirs = socket.socketpair()
        self._mine.setblocking(False)
        with theirs:
            number = theirs.fileno()
            path = [entry for entry in sys.path if entry]
            command = python_module("wukong_lambda_emulator.store_relay", path, "--control", str(number))
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[number])
        self._asked: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._opened: set[str] = set()
        self._ended = False
        self._listening = asyncio.create_task(self._listen())

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    async def open(self, name: str, network: StoreNetwork) -> dict[str, str]:
        """Make the network of one environment; returns where each store is in it.

        Raises:
            ProviderUnavailable: The relay has ended, or cannot listen.
        """
        self._asked[name] = asyncio.get_running_loop().create_future()
        try:
            await self._tell(
                {
                    "open": name,
                    "stores": list(network.stores),
                    "seconds": network.seconds,
                    "bytes_per_second": network.mb_per_second * 1e6,
                }
            )
            answer = await self._asked[name]
        finally:
            del self._asked[name]
        if "error" in answer:
            raise ProviderUnavailable(f"the network between environments and stores: {answer['error']}")
        self._opened.add(name)
        addresses: dict[str, str] = answer["addresses"]
        return addresses

    async def drop(self, name: str) -> None:
        """End the network of an environment, if it has one."""
        if name in self._opened:
            self._opened.discard(name)
            with contextlib.suppress(ProviderUnavailable):
                await self._tell({"close": name})

    async def close(self) -> None:
        """End the process."""
        self._listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listening
        self._mine.close()
        try:
            await asyncio.to_thread(self._process.wait, _FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    async def _tell(self, request: dict[str, Any]) -> None:
        if self._ended:
            raise ProviderUnavailable(_GONE)
        try:
            await asyncio.get_running_loop().sock_sendall(self._mine, json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise ProviderUnavailable(_GONE) from error

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        text = b""
        with contextlib.suppress(OSError):
            while part := await loop.sock_recv(self._mine, 65536):
                *answers, text = (text + part).split(b"\n")
                for line in answers:
                    answer = json.loads(line)
                    self._answer(answer["name"], answer)
        self._ended = True
        for name in list(self._asked):
            self._answer(name, {"error": _GONE})

    def _answer(self, name: str, answer: dict[str, Any]) -> None:
        waiting = self._asked.get(name)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)


_GONE = "the process that slows down the way to the stores has ended"
