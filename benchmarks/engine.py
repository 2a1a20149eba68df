"""The driver's side of an engine: its process, spoken to over pipes, and surely ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks import load
from benchmarks.engines import KINDS

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-peers/bin/python"

#: For every engine: one thread in each process's libraries, and nothing sent anywhere.
ENVIRON = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONPATH": str(ROOT),
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
}
_START_SECONDS = 120.0
_END_SECONDS = 20.0


def options_key(options: Mapping[str, Any]) -> str:
    """Options as text, the same for equal ones."""
    return json.dumps(dict(options), sort_keys=True)


class EngineFailed(Exception):
    """An engine raised, ended, or did not answer in time; the message has what it wrote."""


class EngineProcess:
    """An engine of `benchmarks.engines` in a process of its own, and in a process group of its own.

    When the driver ends without a word, each engine sees the end of its input, and ends; Linux has one that is frozen
    go on for that.

    Args:
        name: One of `KINDS`.
        options: What it is started with.
        folder: For its log, and for what it writes to temporary files.

    Raises:
        EngineFailed: It did not start.
    """

    def __init__(self, name: str, options: Mapping[str, Any], folder: Path) -> None:
        self.name = name
        self.key = name, options_key(options)
        python = str(PEERS) if KINDS[name].peer else sys.executable
        self._log = folder / f"{name.replace(' ', '-')}.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [python, "-m", "benchmarks.engine_server", name, options_key(options)],
                env={**os.environ, **ENVIRON, "TMPDIR": str(folder)},
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                process_group=0,
            )
        self._answers = b""
        self._answering = True
        try:
            self.versions: dict[str, str] = self._answer(_START_SECONDS)["versions"]
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The root of its process tree."""
        return self._process.pid

    def ask(self, request: str, patience: float, **given: Any) -> dict[str, Any]:
        """One request, and its answer, see `benchmarks.engine_server`.

        Raises:
            EngineFailed: It raised or ended, or there was no answer for `patience` seconds.
        """
        self._send({request: given})
        self._answering = True
        return self._answer(patience)

    def _send(self, request: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise EngineFailed(f"{self.name} has ended:\n{self._tail()}") from None

    def _answer(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        until = time.monotonic() + seconds
        while b"\n" not in self._answers:
            if not select.select([self._process.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
                raise EngineFailed(f"{self.name} did not answer within {seconds:.0f} s:\n{self._tail()}")
            read = os.read(self._process.stdout.fileno(), 65536)
            if not read:
                raise EngineFailed(f"{self.name} has ended:\n{self._tail()}")
            self._answers += read
        line, _, self._answers = self._answers.partition(b"\n")
        self._answering = False
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise EngineFailed(f"{self.name} raised:\n{found['error']}")
        return found

    def _tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])

    def freeze(self) -> None:
        """Stop every process of it: from now on it uses no processor at all."""
        stopped: set[int] = set()
        while starting := load.tree(load.processes(), self.pid).keys() - stopped:
            self._signal(starting, signal.SIGSTOP)
            stopped |= starting

    def thaw(self) -> None:
        """Have it go on."""
        self._signal(load.tree(load.processes(), self.pid), signal.SIGCONT)

    def _signal(self, pids: Iterable[int], number: signal.Signals) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def close(self) -> None:
        """End it and every process that it started; an idle one is asked first, then all that is left is killed."""
        family = load.tree(load.processes(), self.pid)
        if not self._answering:
            self.thaw()
            with contextlib.suppress(EngineFailed, subprocess.TimeoutExpired):
                self._send({"end": {}})
                self._process.wait(_END_SECONDS)
        now = load.processes()
        family |= load.tree(now, self.pid)
        left = [pid for pid, process in family.items() if pid in now and now[pid].born == process.born]
        self._signal(left, signal.SIGKILL)
        for pid in left:
            if pid != self.pid:
                with contextlib.suppress(ChildProcessError):  # unless this process has adopted it
                    os.waitpid(pid, 0)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def __enter__(self) -> EngineProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
