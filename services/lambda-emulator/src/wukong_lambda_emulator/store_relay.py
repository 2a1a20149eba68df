"""The network between environments and stores, as slow as on AWS: a process that passes bytes on, late.

Theory of operation
-------------------
Each environment gets, for each store, a port of this process. What comes in there is passed on to the store, and the
answers back, each after half of a round trip's latency and no faster than the environment's bandwidth; so requests in
one pipeline wait together, and all connections of an environment share its bandwidth, each way. A connection takes
a round trip to be made, as TCP's does.

It is a process of its own, because what it adds are fractions of a millisecond: in a thread, it would wait for the
interpreter lock for longer than that. One thread waits, with `select`, whose timeouts are precise to microseconds
(those of `epoll` are milliseconds), for the next byte or for the next byte that is due.

Its dialog with the emulator is one JSON object a line over a socket: `{"open": name, "stores": [address, ...],
"seconds": s, "bytes_per_second": b}` is answered with `{"name": name, "addresses": {store: address}}` or with
`{"name": name, "error": text}`; `{"close": name}` is not answered. The end of the dialog ends the process.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import heapq
import itertools
import json
import math
import select
import selectors
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from wukong_lambda_emulator.link import Link

#: Bytes that one `recv` may bring.
CHUNK = 64 * 1024

#: Seconds that it wakes ahead of what is due, and asks for the time again and again: about as late as it may wake.
EARLY = 0.0001

#: Of prctl: how late, in nanoseconds, the kernel may wake this thread.
_PR_SET_TIMERSLACK = 29


@dataclass(slots=True, eq=False)
class _Network:
    """One environment's: its ports here, its links and its connections."""

    seconds: float
    up: Link
    down: Link
    listeners: list[socket.socket] = field(default_factory=list)
    ends: set[_End] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class _Listener:
    socket: socket.socket
    store: tuple[str, int]
    network: _Network


@dataclass(slots=True, eq=False)
class _End:
    """One end of a connection: the environment's, or the store's."""

    socket: socket.socket
    network: _Network
    #: What leaves here for the other end.
    link: Link
    #: Nothing leaves before.
    earliest: float
    #: It is being connected, and not written to.
    connecting: bool = False
    #: (when it is due, bytes) that go out here; empty bytes stand for the end.
    due: deque[tuple[float, memoryview]] = field(default_factory=deque)
    queued: int = 0
    #: It did not take all that was due.
    full: bool = False
    #: Nothing comes from here any more.
    ended: bool = False
    closed: bool = False
    mask: int = 0
    other: _End = field(init=False)


class Relay:
    """All environments' networks."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._line = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._networks: dict[str, _Network] = {}
        #: (when the first bytes for an end are due, tie break, end).
        self._timers: list[tuple[float, int, _End]] = []
        self._ties = itertools.count()

    def serve(self) -> None:
        """Pass on until the dialog ends."""
        while True:
            self._wait()
            for key, events in self._selector.select(0):
                if key.fileobj is self._control:
                    if not self._asked():
                        return
                elif isinstance(key.data, _Listener):
                    self._accept(key.data)
                elif not key.data.closed:
                    self._ready(key.data, events)
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                self._send(heapq.heappop(self._timers)[2])

    def _wait(self) -> None:
        """Until there is something to do, or shortly before."""
        seconds = max(0.0, self._timers[0][0] - time.monotonic() - EARLY) if self._timers else None
        # The selector can be waited for like a socket.
        select.select([self._selector], (), (), seconds)

    # The dialog.

    def _asked(self) -> bool:
        part = self._control.recv(65536)
        *lines, self._line = (self._line + part).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "close" in request:
                self._close_network(request["close"])
                continue
            try:
                answer: dict[str, Any] = {"addresses": self._open(request)}
            except OSError as error:
                self._close_network(request["open"])
                answer = {"error": str(error)}
            self._control.sendall(json.dumps({"name": request["open"], **answer}).encode() + b"\n")
        return bool(part)

    def _open(self, request: dict[str, Any]) -> dict[str, str]:
        seconds, rate = request["seconds"], request["bytes_per_second"] or math.inf
        network = _Network(seconds, Link(seconds / 2, rate), Link(seconds / 2, rate))
        self._networks[request["open"]] = network
        addresses = {}
        for store in request["stores"]:
            host, _, port = store.rpartition(":")
            listener = socket.create_server(("127.0.0.1", 0))
            listener.setblocking(False)
            network.listeners.append(listener)
            data = _Listener(listener, (host.strip("[]"), int(port)), network)
            self._selector.register(listener, selectors.EVENT_READ, data)
            addresses[store] = f"127.0.0.1:{listener.getsockname()[1]}"
        return addresses

    def _close_network(self, name: str) -> None:
        network = self._networks.pop(name)
        for listener in network.listeners:
            self._selector.unregister(listener)
            listener.close()
        for end in list(network.ends):
            self._close(end)

    # Connections.

    def _accept(self, listener: _Listener) -> None:
        try:
            near, _ = listener.socket.accept()
        except OSError:  # whoever wanted to connect is gone
            return
        network = listener.network
        far = socket.socket(socket.AF_INET6 if ":" in listener.store[0] else socket.AF_INET)
        for each in (near, far):
            each.setblocking(False)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened = time.monotonic() + network.seconds
        a = _End(near, network, network.up, opened)
        b = _End(far, network, network.down, opened, connecting=True)
        a.other, b.other = b, a
        network.ends.update((a, b))
        try:
            far.connect_ex(listener.store)
        except OSError:  # no such host
            self._close(a)
            return
        self._watch(a)
        self._watch(b)

    def _ready(self, end: _End, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            end.connecting = end.full = False
            self._send(end)
        if events & selectors.EVENT_READ and not end.closed:
            self._receive(end)

    def _receive(self, end: _End) -> None:
        try:
            data = end.socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            self._close(end)
            return
        end.ended = not data
        other = end.other
        arrival = end.link.arrival(time.monotonic(), len(data), end.earliest)
        if not other.due and not other.full and not other.connecting:
            heapq.heappush(self._timers, (arrival, next(self._ties), other))
        other.due.append((arrival, memoryview(data)))
        other.queued += len(data)
        self._watch(end)

    def _send(self, end: _End) -> None:
        """Send what is due, and see to the rest."""
        if end.closed:
            return
        try:
            while end.due and end.due[0][0] <= time.monotonic():
                arrival, data = end.due[0]
                if not data:
                    end.socket.shutdown(socket.SHUT_WR)
                    end.due.popleft()
                    if end.ended:
                        self._close(end)
                        return
                    continue
                sent = end.socket.send(data)
                end.queued -= sent
                end.due.popleft()
                if sent < len(data):
                    end.due.appendleft((arrival, data[sent:]))
        except BlockingIOError:
            end.full = True
        except OSError:
            self._close(end)
            return
        if end.due and not end.full:
            heapq.heappush(self._timers, (end.due[0][0], next(self._ties), end))
        self._watch(end)
        self._watch(end.other)

    def _watch(self, end: _End) -> None:
        """Wait for what can be done at one end."""
        mask = 0
        if not end.ended and end.other.queued < end.link.window:
            mask |= selectors.EVENT_READ
        if end.full or end.connecting:
            mask |= selectors.EVENT_WRITE
        if mask == end.mask or end.closed:
            return
        if not mask:
            self._selector.unregister(end.socket)
        elif end.mask:
            self._selector.modify(end.socket, mask, end)
        else:
            self._selector.register(end.socket, mask, end)
        end.mask = mask

    def _close(self, end: _End) -> None:
        """Close both ends."""
        for each in (end, end.other):
            if not each.closed:
                each.closed = True
                if each.mask:
                    self._selector.unregister(each.socket)
                each.socket.close()
                each.network.ends.discard(each)


def main() -> None:
    """Run the relay."""
    parser = argparse.ArgumentParser(
        prog="wukong_lambda_emulator.store_relay", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--control", type=int, required=True, help="socket of the dialog")
    arguments = parser.parse_args()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    with socket.socket(fileno=arguments.control) as control, contextlib.suppress(ConnectionError, KeyboardInterrupt):
        Relay(control).serve()


if __name__ == "__main__":
    main()
