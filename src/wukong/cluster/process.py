"""The user's side of the control process: starts it, talks with it, ends it.

Nothing runs in the user's process but this: no thread, no server. The control process is executed, never
forked, and leads a session of its own, so that Ctrl-C in a terminal or a notebook does not reach it. The
write end of the lifeline stays here; it closes when this process ends, whatever ends it. A process that the
user forks (multiprocessing, say) gives its copy up at once, or the cluster would live as long as that does.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
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


class ControlProcess:
    """One control process and everything below it. Owns the plan's folder, and removes it in the end.

    Attributes:
        address: Where the scheduler listens, once `wait_ready` has returned.
    """

    def __init__(self, plan: Plan, environ: Mapping[str, str]) -> None:
        self.address = ""
        self._plan = plan
        self._owner = os.getpid()
        self._closed = False
        self._lock = threading.Lock()
        self._part = "control"
        self._deadline = time.monotonic() + plan.startup_timeout + _MARGIN
        self._channel, theirs = socket.socketpair()
        watched, self._lifeline = os.pipe()
        log = (Path(plan.folder) / "control.log").open("ab")
        try:
            with theirs, log:
                self._process = subprocess.Popen(
                    python_module(
                        "wukong.cluster.control",
                        plan.path,
                        *("--channel", str(theirs.fileno())),
                        *("--lifeline", str(watched)),
                    ),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=dict(environ),
                    pass_fds=[theirs.fileno(), watched],
                    start_new_session=True,
                )
        except BaseException:
            self._channel.close()
            os.close(self._lifeline)
            shutil.rmtree(plan.folder, ignore_errors=True)
            raise
        finally:
            os.close(watched)
        self._lines = self._channel.makefile("rb")
        _alive.add(self)
        with contextlib.suppress(BrokenPipeError):  # `wait_ready` finds out why
            self._channel.sendall(plan.to_json().encode() + b"\n")

    def wait_ready(self) -> None:
        """Return when the cluster accepts jobs.

        Raises:
            ClusterUnavailable: A part did not start; says which, why, and what its log ends with.
        """
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
        """Role and process id of everything that runs now.

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

    def logs(self) -> dict[str, str]:
        """What each part wrote to its log so far, by the part's name."""
        folder = Path(self._plan.folder)
        return {path.stem: path.read_text(errors="replace") for path in sorted(folder.glob("*.log"))}

    def close(self) -> None:
        """End everything and remove the logs. Nothing when called again, or in a forked copy of the owner."""
        if os.getpid() != self._owner or self._closed:
            return
        self._closed = True
        _alive.discard(self)
        try:
            with contextlib.suppress(OSError):
                self._channel.settimeout(_CLEANING if self._plan.endpoints else _FAREWELL)
                self._channel.sendall(b'{"ask": "stop"}\n')
                while self._lines.readline():
                    pass
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                # The leader may be gone and not waited for, so the number cannot be a stranger's.
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self.disown()
            shutil.rmtree(self._plan.folder, ignore_errors=True)

    def disown(self) -> None:
        """Let go of what keeps the cluster alive; a forked copy of the owner does no more than that."""
        with contextlib.suppress(OSError):
            os.close(self._lifeline)
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
        log = self.logs().get("zygote" if self._part == "zygote" else "control", "")
        return ClusterUnavailable(f"{text}; the last lines of its log:\n{tail(log)}" if log else text)


#: What this process started and has not ended.
_alive: weakref.WeakSet[ControlProcess] = weakref.WeakSet()


def _disown_all() -> None:
    for process in list(_alive):
        process.disown()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_disown_all)
