"""Ports for servers that start again on the port that they had.

A port that the system chooses is one of those that it also gives to outgoing connections. While the server of such a
port is away for a moment, any program's connection may get it and keep it for minutes. So the ports here are chosen
below that range (from 32768 on with Linux, from 49152 on elsewhere): nobody gets them who does not ask for them.
"""

from __future__ import annotations

import random
import socket

_PORTS = range(20_000, 32_768)

#: Ports that are tried before this gives up; each is random.
_ATTEMPTS = 200


def free_port() -> int:
    """A port of the loopback interface on which nobody listens now.

    Raises:
        OSError: None of many was free.
    """
    chance = random.SystemRandom()  # a user's seed must not lead two programs to the same ports
    for attempt in range(1, _ATTEMPTS + 1):
        port = chance.choice(_PORTS)
        try:
            check_free(port)
        except OSError:
            if attempt == _ATTEMPTS:
                raise
        else:
            break
    return port


def check_free(port: int) -> None:
    """Return if a server can listen on a port of the loopback interface.

    Raises:
        OSError: It cannot.
    """
    with socket.socket() as probe:
        # As servers do: what is left of connections to a server that has ended is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        probe.listen(1)
