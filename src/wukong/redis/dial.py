"""Connects to a server: by its port, or the short way, where it is on this machine and there is one.

The short way is a Unix socket. Loopback takes every byte through all of TCP, and wakes the other side through the
network's interrupts: a round trip by a Unix socket takes about half the time, and a byte two thirds of the processor's.
A server of an embedded cluster listens at both. Whoever is told "127.0.0.1:port" looks whether there is a socket for
that port, in a folder that is its own user's alone; it goes by the port where there is none, or where nobody of that
user answers, so that nothing hangs on it: in another container, for another user, and on other systems than Linux
there is no short way, and servers that Wukong did not start have none.

What is said over the socket is what is said over the port, the password too, and a server that ends closes both.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from functools import cache
from pathlib import Path
from typing import Final

#: Addresses of this machine. Servers of embedded clusters have the first.
LOOPBACK: Final = ("127.0.0.1", "::1")

#: Bytes that a Unix socket may hold on their way, as far as the system lets it: each time that it is full, both sides
#: take turns.
_HELD: Final = 1024 * 1024

_PARENT: Final = Path("/tmp")


def dial(host: str, port: int, timeout: float) -> tuple[socket.socket, bool]:
    """A connection, and whether the server is on this machine.

    Raises:
        OSError: The server cannot be reached.
    """
    if host == LOOPBACK[0] and (short := _short_way(port, timeout)) is not None:
        return short, True
    stream = socket.create_connection((host, port), timeout)
    try:
        peer = stream.getpeername()
        if peer == stream.getsockname():
            # On loopback, a port of which nobody listens may be given to the one who asks for it, who then talks to
            # himself, and keeps the server from coming back.
            raise ConnectionRefusedError("nothing listens there")
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        stream.close()
        raise
    return stream, peer[0] in LOOPBACK


def prepared(port: int) -> Path | None:
    """Where the server of a port of this machine shall listen too; None where there is no short way.

    What is left of servers that were killed is removed.
    """
    path = _path(port)
    if path is None:
        return None
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        found = path.parent.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077:
            for left in path.parent.iterdir():
                _remove_if_dead(left)
            return path
    return None


@cache
def _path(port: int) -> Path | None:
    # Another network has other servers at the same ports, and may have the same folders.
    try:
        network = os.stat("/proc/self/ns/net").st_ino
    except OSError:
        return None  # no Linux
    return _PARENT / f"wukong-sockets-{os.getuid()}" / f"{network}-{port}"


def _short_way(port: int, timeout: float) -> socket.socket | None:
    path = _path(port)
    if path is None:
        return None
    stream = socket.socket(socket.AF_UNIX)
    try:
        stream.settimeout(timeout)
        stream.connect(os.fspath(path))
        _, user, _ = struct.unpack("3i", stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if user == os.getuid():
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _HELD)
            return stream
    except OSError:
        pass
    except BaseException:
        stream.close()
        raise
    stream.close()
    return None


def _remove_if_dead(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            # One that is about to listen is refused too; then its clients go by the port.
            path.unlink(missing_ok=True)
        except OSError:
            pass
