"""The zygote: a clean process that environments are forked from.

A fresh interpreter with dask and numpy takes a second; a fork of one that has them takes milliseconds. But only a
process with a single thread can be forked safely: a lock that another thread holds at that moment stays locked
in the child for ever. So this process does nothing else. It imports the modules that it is told, makes sure
that it has one thread, and then waits, in one selector, for four things:

- a *request* on its Unix socket. Each environment has a connection of its own. The emulator sends one line, a
  `Launch`, along with the descriptor that becomes the environment's output, and gets `{"pid": ...}` back;
- the *end* of an environment: `{"status": ...}` (negative for a signal) goes out on its connection;
- `kill`, or the end of a connection: the environment is killed, with its whole process group;
- the end of the *lifeline*, or SIGTERM: all environments are killed, and the zygote ends.

The child leaves the loop, drops everything that it inherited but its output and the lifeline, and never comes
back. Where the system's own libraries do not survive a fork (macOS), the same protocol starts a fresh
interpreter instead.

    python -m wukong_lambda_emulator.zygote --socket PATH --preload numpy,dask,... --lifeline FD
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from typing import NoReturn

from wukong.cluster import lifeline
from wukong_lambda_emulator import runtime
from wukong_lambda_emulator.launch import Launch
from wukong_lambda_emulator.precompiled import precompile

# What keeps libraries (NumPy's OpenBLAS, PyArrow's allocator) from starting threads when they are loaded.
_SINGLE = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}

# The parts of awslambdaric that do not look at the environment's variables: 20 ms less in each child.
_RUNTIME_MODULES = (
    "awslambdaric.lambda_context",
    "awslambdaric.lambda_runtime_exception",
    "awslambdaric.lambda_runtime_marshaller",
    "awslambdaric.lambda_literals",
    "awslambdaric.lambda_runtime_log_utils",
    "http.client",
)
# The parts that do.
_RUNTIME = ("awslambdaric.bootstrap", "awslambdaric.lambda_runtime_client")


@dataclass(slots=True)
class _Connection:
    """The emulator's side of one environment."""

    socket: socket.socket
    received: bytearray = field(default_factory=bytearray)
    descriptors: list[int] = field(default_factory=list)
    pid: int | None = None

    def tell(self, **message: object) -> None:
        # The emulator may be gone; a few bytes never fill the socket of one that is not.
        with contextlib.suppress(OSError):
            self.socket.send(json.dumps(message).encode() + b"\n")


class Zygote:
    """The loop. One thread, nothing that blocks."""

    def __init__(self, listener: socket.socket, lifeline_fd: int, *, spawn: bool) -> None:
        self._listener = listener
        self._lifeline = lifeline_fd
        self._spawn = spawn
        self._connections: dict[int, _Connection] = {}
        self._children: dict[int, _Connection | None] = {}
        self._spawned: dict[int, subprocess.Popen[bytes]] = {}
        self._wakeup, self._signals = socket.socketpair()
        self._wakeup.setblocking(False)
        self._signals.setblocking(False)
        self._selector = selectors.DefaultSelector()
        for source in (listener, self._wakeup, lifeline_fd):
            self._selector.register(source, selectors.EVENT_READ)

    def serve(self) -> Launch:
        """Serve for ever. Returns in a new environment only, with what it shall be."""
        signal.set_wakeup_fd(self._signals.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)  # Only the wake-up matters.
        # The zygote is in the terminal's foreground group; interrupting the user's program is not meant for it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._wakeup:
                    self._woken()
                elif key.fileobj == self._lifeline:
                    self._end()
                elif key.fd in self._connections:
                    launch = self._read(self._connections[key.fd])
                    if launch is not None:
                        return launch

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            accepted, _ = self._listener.accept()
            accepted.setblocking(False)
            self._connections[accepted.fileno()] = _Connection(accepted)
            self._selector.register(accepted, selectors.EVENT_READ)

    def _read(self, connection: _Connection) -> Launch | None:
        """Take in what the emulator sent. A `Launch` comes back in the child that it led to, and only there."""
        try:
            data, descriptors, _, _ = socket.recv_fds(connection.socket, 65536, 1)
        except BlockingIOError:
            return None
        except OSError:
            data, descriptors = b"", []
        connection.descriptors += descriptors
        connection.received += data
        if not data:
            self._drop(connection)
        elif connection.pid is not None:
            self._kill(connection.pid)
        elif connection.received.endswith(b"\n"):
            return self._start(connection)
        return None

    def _start(self, connection: _Connection) -> Launch | None:
        try:
            launch = Launch.decode(bytes(connection.received))
            output = connection.descriptors.pop()
        except (ValueError, TypeError, IndexError) as error:
            connection.tell(error=f"the zygote does not understand the request: {error}")
            return None
        parent = os.getpid()
        try:
            pid = self._spawn_child(launch, output) if self._spawn else os.fork()
        except OSError as error:
            os.close(output)
            connection.tell(error=f"the zygote cannot start a process: {error}")
            return None
        if pid == 0:
            self._leave(output, parent)
            return launch
        os.close(output)
        connection.pid = pid
        self._children[pid] = connection
        connection.tell(pid=pid)
        return None

    def _spawn_child(self, launch: Launch, output: int) -> int:
        arguments = ["--handler", launch.handler, "--lifeline", str(self._lifeline), "--directory", launch.directory]
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "wukong_lambda_emulator.runtime", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **launch.variables},
            pass_fds=(self._lifeline,),
            start_new_session=True,
        )
        self._spawned[process.pid] = process
        return process.pid

    def _leave(self, output: int, parent: int) -> None:
        """In the child: keep the output and the lifeline, drop everything else of the zygote."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        lifeline.die_with_parent(parent)
        atexit._clear()
        # Closed as objects first: one that is collected later would close a descriptor that is someone else's.
        self._selector.close()
        for connection in self._connections.values():
            connection.socket.close()
        for mine in (self._listener, self._wakeup, self._signals):
            mine.close()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        for fd in map(int, os.listdir("/proc/self/fd")):
            if fd > 2 and fd != self._lifeline:
                with contextlib.suppress(OSError):
                    os.close(fd)
        sys.stdin = os.fdopen(0, closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)

    def _woken(self) -> None:
        if signal.SIGTERM in self._wakeup.recv(4096):
            self._end()
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            self._ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, status: int) -> None:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)  # What the environment started ends with it.
        if process := self._spawned.pop(pid, None):
            process.returncode = status
        connection = self._children.pop(pid, None)
        if connection is not None:
            connection.tell(status=status)
            connection.pid = None
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        for descriptor in connection.descriptors:
            os.close(descriptor)
        if connection.pid is not None:
            self._children[connection.pid] = None
            self._kill(connection.pid)
        del self._connections[connection.socket.fileno()]
        self._selector.unregister(connection.socket)
        connection.socket.close()

    def _kill(self, pid: int) -> None:
        if pid in self._children:
            os.kill(pid, signal.SIGKILL)  # Not reaped yet, so the number is still its own.
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)

    def _end(self) -> NoReturn:
        for pid in self._children:
            self._kill(pid)
        os._exit(0)


def preload(modules: list[str]) -> None:
    """Import `modules`, and make sure that it left the process with one thread."""
    for name, value in _SINGLE.items():
        os.environ.setdefault(name, value)
    for module in modules:
        importlib.import_module(module)
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        sys.exit(
            f"the zygote has {threads} threads after importing {', '.join(modules)}; a process with more than one "
            "cannot be forked safely. Check that these variables are set: "
            f"{' '.join(f'{name}={value}' for name, value in _SINGLE.items())}; "
            "or do not preload the module that starts the threads."
        )


def main() -> NoReturn:
    """Run the zygote; in the children that it forks, the environment."""
    parser = argparse.ArgumentParser(prog="wukong_lambda_emulator.zygote", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--socket", required=True, help="path of the Unix socket to listen on; at most 100 characters")
    parser.add_argument("--preload", default="", help="modules to import before the first environment, by commas")
    parser.add_argument("--lifeline", type=int, required=True, help="descriptor whose end-of-file ends the zygote")
    parser.add_argument(
        "--spawn",
        action="store_true",
        default=sys.platform != "linux",
        help="start fresh interpreters instead of forking; always so where forking is not safe",
    )
    arguments = parser.parse_args()
    listener = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(arguments.socket)
    listener.bind(arguments.socket)
    os.chmod(arguments.socket, 0o600)
    # Whoever connects from now on waits for the imports, instead of finding nobody.
    listener.listen(1024)
    listener.setblocking(False)
    if not arguments.spawn:
        gc.disable()  # next to nothing of what is loaded is ever garbage
        precompile(_RUNTIME)
        preload([*_RUNTIME_MODULES, *filter(None, arguments.preload.split(","))])
        gc.enable()
    # What exists now is never looked at by the collector again, so that its pages stay shared.
    gc.collect()
    gc.freeze()
    launch = Zygote(listener, arguments.lifeline, spawn=arguments.spawn).serve()
    runtime.become(dict(launch.variables), launch.directory, arguments.lifeline)
    runtime.run(launch.handler)


if __name__ == "__main__":
    main()
