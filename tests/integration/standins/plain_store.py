"""A Valkey server as a user may have one: no password, data of its own, and any port."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from wukong.cluster.valkey import server_program
from wukong.errors import ClusterUnavailable
from wukong.redis import Connection


@contextlib.contextmanager
def plain_store(folder: Path, port: int = 0) -> Iterator[Connection]:
    """A connection to a server that listens on loopback and keeps nothing on disk."""
    if not port:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    command = [server_program(), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with (folder / f"store-{port}.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    connection = Connection(f"127.0.0.1:{port}")
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                connection.call("PING")
                break
            except ClusterUnavailable:
                assert server.poll() is None, "the server ended"
                assert time.monotonic() < deadline
                time.sleep(0.005)
        yield connection
    finally:
        connection.close()
        server.kill()
        server.wait()


def keys(connection: Connection, pattern: str = "*") -> list[str]:
    """The names that match, in order."""
    return sorted(key.decode() for key in cast("list[bytes]", connection.call("KEYS", pattern)))
