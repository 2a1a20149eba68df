"""Every command that reaches one store, as its MONITOR tells."""

from __future__ import annotations

import ast
import re
import socket
import threading
from dataclasses import dataclass, field

_LINE = re.compile(rb"\+(\d+\.\d+) \[\d+ ([^\]]+)\] (.*)\r\n")
_WORD = re.compile(rb'"(?:[^"\\]|\\.)*"')


@dataclass
class Command:
    """One command: when, from which address, its words, and the commands that it ran itself if it is a script."""

    time: float
    client: str
    words: list[bytes]
    inside: list[list[bytes]] = field(default_factory=list)


class Monitor:
    """Listens to one store from its construction until `close`."""

    def __init__(self, address: str, user: str, password: str) -> None:
        self._commands: list[Command] = []
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.sendall(f"AUTH {user} {password}\r\nMONITOR\r\n".encode())
        self._lines = self._socket.makefile("rb")
        if [self._lines.readline(), self._lines.readline()] != [b"+OK\r\n"] * 2:
            raise ConnectionError(f"{address} does not let itself be monitored")
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for line in self._lines:
            if found := _LINE.fullmatch(line):
                # The store quotes as Python does.
                words = [ast.literal_eval("b" + word.decode("ascii")) for word in _WORD.findall(found[3])]
                if found[2] == b"lua":
                    self._commands[-1].inside.append(words)
                else:
                    self._commands.append(Command(float(found[1]), found[2].decode(), words))

    def close(self) -> list[Command]:
        """Stop listening; returns what was heard."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._lines.close()
        self._socket.close()
        return self._commands
