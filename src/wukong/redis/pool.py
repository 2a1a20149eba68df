"""Connections to one Redis, shared by threads."""

from __future__ import annotations

import os
import threading
from collections import deque
from types import TracebackType
from typing import NamedTuple

from wukong.redis.connection import Connection


class Counters(NamedTuple):
    """What connections did since they were made."""

    round_trips: int
    bytes_sent: int
    bytes_received: int


class Pool:
    """Makes a connection when none is idle, so nobody waits for one, and keeps up to `size` idle ones.

    May be used by any number of threads, and by a forked child, which makes connections of its own.

    Args:
        address: "host:port".
        password: The user's; empty for none.
        timeout: Seconds to wait for a connection, and for each next byte of a reply.
        size: How many idle connections are kept.
        patience: Seconds for which a call goes on while the server is away.
        identify: Whether to find out when another server answers than before.
        user: Whose password it is; empty for the default user.
        authority: Who vouches for the server (PEM), which then speaks TLS; empty for one that speaks in the clear.

    Attributes:
        reconnects: How often another server answered than before, such as one that was started again. Only what was
            identified is counted.
    """

    def __init__(
        self,
        address: str,
        *,
        password: str = "",
        timeout: float = 30.0,
        size: int = 8,
        patience: float = 0.0,
        identify: bool = False,
        user: str = "",
        authority: str = "",
    ) -> None:
        self.address = address
        self._user = user
        self._authority = authority
        self._password = password
        self._timeout = timeout
        self._size = size
        self._patience = patience
        self._identify = identify
        self._server = ""
        self.reconnects = 0
        self._past = Counters(0, 0, 0)
        self._forget()

    def connection(self) -> Lease:
        """A connection for one `with` block: `with pool.connection() as connection: ...`."""
        return Lease(self)

    def counters(self) -> Counters:
        """The sums over all connections there ever were."""
        with self._lock:
            rows = [self._past, *((c.round_trips, c.bytes_sent, c.bytes_received) for c in self._all)]
        return Counters(*(sum(column) for column in zip(*rows, strict=True)))

    def close(self) -> None:
        """Close the idle connections. Those in use are closed when they come back."""
        self._closed = True
        while self._idle:
            self._retire(self._idle.pop())

    def take(self) -> Connection:
        """A connection that is the caller's until `give`."""
        if self._process != os.getpid():
            for inherited in self._idle:
                inherited.close()
            self._forget()
        try:
            # The one used last, whose memory is warm.
            return self._idle.pop()
        except IndexError:
            connection = Connection(
                self.address,
                password=self._password,
                timeout=self._timeout,
                patience=self._patience,
                met=self._met if self._identify else None,
                user=self._user,
                authority=self._authority,
            )
            with self._lock:
                self._all.add(connection)
            return connection

    def give(self, connection: Connection) -> None:
        """Bring a connection back."""
        if self._closed or len(self._idle) >= self._size:
            self._retire(connection)
        else:
            self._idle.append(connection)

    def _met(self, server: str) -> None:
        with self._lock:
            if self._server and server != self._server:
                self.reconnects += 1
            self._server = server

    def _retire(self, connection: Connection) -> None:
        connection.close()
        with self._lock:
            if connection in self._all:
                self._all.remove(connection)
                old = self._past
                self._past = Counters(
                    old.round_trips + connection.round_trips,
                    old.bytes_sent + connection.bytes_sent,
                    old.bytes_received + connection.bytes_received,
                )

    def _forget(self) -> None:
        """Start empty; in a forked child too, where a thread that is not there may hold the parent's lock."""
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._idle: deque[Connection] = deque()
        self._all: set[Connection] = set()
        self._past = Counters(0, 0, 0)
        self._closed = False


class Lease:
    """The context in which a connection of a pool is one thread's own."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def __enter__(self) -> Connection:
        self._connection = self._pool.take()
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.give(self._connection)
