"""One life of the control process, as the user's process sees it: starts it, talks with it, ends it.

The control process is executed, never forked, and leads a session of its own, so that Ctrl-C in a terminal or a
notebook does not reach it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wukong.cluster.interpreter import python_module
from wukong.cluster.plan import Plan
from wukong.cluster.valkey import tail
from wukong.errors import ClusterUnavailable

#: Seconds beyond the control process's own deadline, after which it counts as hung.
_MARGIN = 3.0
_ANSWER = 10.0
#: Seconds for an orderly end, after which the process group is killed; more where it cleans servers of the user's,
#: which may hold many other keys.
_FAREWELL = 5.0
_CLEANING = 30.0
#: Seconds that a question under way may take when it shall end; one that is only starting is not waited for.
_BUSY = 0.5


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a group, with its group, and wait for it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        # As long as it was not waited for, the number cannot be a stranger's.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class ControlProcess:
    """One control process. It is a `wukong.cluster.kept.Child`.

    Args:
        plan: What it shall start.
        environ: Its environment.
        lifeline: The read end.

    Attributes:
        address: Where the scheduler listens, once `wait_ready` has returned.
    """

    def __init__(self, plan: Plan, environ: Mapping[str, str], lifeline: int) -> None:
        self.address = ""
        self._plan = plan
        self._lock = threading.Lock()
        self._part = "control"
        self._deadline = time.monotonic() + plan.startup_timeout + _MARGIN
        self._channel, theirs = socket.socketpair()
        try:
            with theirs, (Path(plan.folder) / "control.log").open("ab") as log:
                self._process = subprocess.Popen(
                    python_module(
                        "wukong.cluster.control",
                        plan.path,
                        *("--channel", str(theirs.fileno())),
                        *("--lifeline", str(lifeline)),
                    ),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=dict(environ),
                    pass_fds=[theirs.fileno(), lifeline],
                    start_new_session=True,
                )
        except BaseException:
            self._channel.close()
            raise
        self._lines = self._channel.makefile("rb")
        with contextlib.suppress(BrokenPipeError):  # `wait_ready` finds out why
            self._channel.sendall(plan.to_json().encode() + b"\n")

    def wait_ready(self) -> None:
        """Return when the cluster accepts jobs.

        Raises:
            ClusterUnavailable: A part did not start; says which, why, and what its log ends with.
        """
        with self._lock:
            while not self.address:
                try:
                    message = self._read(self._deadline - time.monotonic())
                except TimeoutError:
                    message = {"error": f"it does not answer after {self._plan.startup_timeout:g} s"}
                self._part = message.get("part", self._part)
                if "error" in message:
                    text = f"the embedded cluster's part {self._part!r} did not start: {message['error']}"
                    raise self._unavailable(text)
                self.address = message.get("ready", {}).get("address", "")

    def processes(self) -> list[tuple[str, int]]:
        """Role and process id of everything that it knows of.

        Raises:
            ClusterUnavailable: The control process is gone.
        """
        with self._lock:
            try:
                self._channel.settimeout(_ANSWER)
                self._channel.sendall(b'{"ask": "processes"}\n')
                answer = self._read(_ANSWER)
            except OSError as error:
                raise self._unavailable(f"the embedded cluster's control process is gone ({error})") from error
        if "error" in answer:
            raise self._unavailable(f"the embedded cluster's control process is gone: {answer['error']}")
        return [(role, pid) for role, pid in answer["processes"]]

    def end(self) -> None:
        """Ask it for an orderly end of all that it started, wait for that, but not for long, and then kill it."""
        if self._lock.acquire(timeout=_BUSY):
            try:
                self._channel.settimeout(_CLEANING if self._plan.endpoints else _FAREWELL)
                self._channel.sendall(b'{"ask": "stop"}\n')
                while self._lines.readline():
                    pass
            except OSError:
                pass
            finally:
                self._lock.release()
        self.kill()

    def wait(self) -> int:
        """Wait for its end; returns its exit code."""
        return self._process.wait()

    def kill(self) -> None:
        """End it and its process group, and wait for its own end."""
        kill_group(self._process)
        with self._lock:
            self.hang_up()

    def hang_up(self) -> None:
        """Close the dialog, and nothing else: all that a forked copy of the owner may do."""
        self._lines.close()
        self._channel.close()

    def _read(self, seconds: float) -> dict[str, Any]:
        self._channel.settimeout(max(0.01, seconds))
        line = self._lines.readline()
        if not line.endswith(b"\n"):
            return {"error": "its process ended"}
        message: dict[str, Any] = json.loads(line)
        return message

    def _unavailable(self, text: str) -> ClusterUnavailable:
        if self._part in self._plan.stores():
            return ClusterUnavailable(text)  # a store's own message ends with its log
        path = Path(self._plan.folder) / ("zygote.log" if self._part == "zygote" else "control.log")
        log = path.read_text(errors="replace") if path.exists() else ""
        return ClusterUnavailable(f"{text}; the last lines of its log:\n{tail(log)}" if log else text)
