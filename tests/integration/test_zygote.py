"""The zygote by itself: its protocol, what its children are, and that none of them is ever left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tests.waiting import until

from wukong_lambda_emulator.launch import Launch

COMMAND = [sys.executable, "-m", "wukong_lambda_emulator.zygote"]


class RuntimeStub:
    """A Runtime API that nobody answers at: environments connect and wait."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._accepted: list[socket.socket] = []
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def wait_for_poll(self) -> bytes:
        """The first bytes of the next environment that polls."""
        self._listener.settimeout(20)
        accepted, _ = self._listener.accept()
        self._accepted.append(accepted)
        return accepted.recv(4096)

    def close(self) -> None:
        for accepted in self._accepted:
            accepted.close()
        self._listener.close()


@pytest.fixture
def stub() -> Iterator[RuntimeStub]:
    stub = RuntimeStub()
    yield stub
    stub.close()


class Environment:
    """The emulator's end of one environment."""

    def __init__(self, path: str, launch: Launch) -> None:
        deadline = time.monotonic() + 20
        while True:
            self._socket = socket.socket(socket.AF_UNIX)
            try:
                self._socket.connect(path)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                self._socket.close()
                assert time.monotonic() < deadline
                time.sleep(0.01)
        self._output, writing = os.pipe()
        socket.send_fds(self._socket, [launch.encode()], [writing])
        os.close(writing)
        self._answers = self._socket.makefile("rb")
        self.pid = self.answer().get("pid", 0)

    def answer(self) -> dict[str, int]:
        line = self._answers.readline()
        return dict(json.loads(line)) if line else {}

    def kill(self) -> None:
        self._socket.send(b"kill\n")

    def output(self) -> str:
        """All that it printed, once it has ended."""
        text = b""
        while data := os.read(self._output, 65536):
            text += data
        return text.decode()

    def close(self) -> None:
        self._answers.close()
        self._socket.close()
        if self._output >= 0:
            os.close(self._output)
            self._output = -1


class Zygote:
    """A zygote whose lifeline this object holds."""

    def __init__(self, path: str, *options: str) -> None:
        self.path = path
        self._environments: list[Environment] = []
        reading, self._lifeline = os.pipe()
        self.process = subprocess.Popen(
            [*COMMAND, "--socket", path, "--lifeline", str(reading), *options], pass_fds=[reading]
        )
        os.close(reading)

    def start(self, stub: RuntimeStub, handler: str = "json.loads", directory: str = "") -> Environment:
        launch = Launch(handler, {"AWS_LAMBDA_RUNTIME_API": stub.address}, directory, 2**30)
        self._environments.append(Environment(self.path, launch))
        return self._environments[-1]

    def cut_lifeline(self) -> None:
        os.close(self._lifeline)
        self._lifeline = -1

    def close(self) -> None:
        for environment in self._environments:
            environment.close()
        if self._lifeline >= 0:
            self.cut_lifeline()
        self.process.wait(10)


@pytest.fixture(params=["fork", "spawn"])
def zygote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Zygote]:
    zygote = Zygote(str(tmp_path / "z"), *(["--spawn"] if request.param == "spawn" else []))
    yield zygote
    zygote.close()


def test_an_environment_polls_and_is_killed_when_asked(zygote: Zygote, stub: RuntimeStub) -> None:
    environment = zygote.start(stub)
    assert psutil.Process(environment.pid).ppid() == zygote.process.pid
    assert stub.wait_for_poll().startswith(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n")
    environment.kill()
    assert environment.answer() == {"status": -9}
    assert environment.answer() == {}
    assert not psutil.pid_exists(environment.pid)


def test_an_environment_is_killed_when_nobody_asks_for_it_any_more(zygote: Zygote, stub: RuntimeStub) -> None:
    environment = zygote.start(stub)
    stub.wait_for_poll()
    environment.close()
    until(lambda: not psutil.pid_exists(environment.pid))


def test_exit_status_and_output_come_back(zygote: Zygote, stub: RuntimeStub, tmp_path: Path) -> None:
    (tmp_path / "ends.py").write_text(
        "import atexit, sys\natexit.register(print, 'leaving')\nprint('imported')\nsys.exit(7)\n"
    )
    environment = zygote.start(stub, "ends.handler", str(tmp_path))
    assert environment.answer() == {"status": 7}
    assert environment.output() == "imported\nleaving\n"


def test_a_missing_directory_is_an_error_that_harms_nobody_else(zygote: Zygote, stub: RuntimeStub) -> None:
    failed = zygote.start(stub, directory="/no/such/directory")
    # A fork finds out by itself; a fresh interpreter is not even started.
    assert failed.pid == 0 or failed.answer() == {"status": 1}
    zygote.start(stub)
    assert stub.wait_for_poll()


def test_a_request_that_makes_no_sense_is_refused(zygote: Zygote, stub: RuntimeStub) -> None:
    zygote.start(stub)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(zygote.path)
        connection.send(b"{}\n")
        assert b"does not understand" in connection.recv(4096)
    assert stub.wait_for_poll()


@pytest.mark.parametrize("end", ["lifeline", "kill -9", "terminate"])
def test_no_environment_outlives_its_zygote(
    zygote: Zygote, stub: RuntimeStub, gone: Callable[[list[int]], None], end: str
) -> None:
    pids = [zygote.start(stub).pid for _ in range(3)]
    for _ in pids:
        stub.wait_for_poll()
    match end:
        case "lifeline":
            zygote.cut_lifeline()
        case "kill -9":
            zygote.process.kill()
        case "terminate":
            zygote.process.terminate()
    zygote.process.wait(5)
    if end == "kill -9":
        # Fresh interpreters hear of it through the lifeline, which whoever starts zygotes cuts then.
        zygote.cut_lifeline()
    gone(pids)


def test_nothing_outlives_a_program_that_is_killed(
    tmp_path: Path, stub: RuntimeStub, gone: Callable[[list[int]], None]
) -> None:
    # A program that starts a zygote, as a cluster does, and then does not get to end it.
    program = (
        "import os, subprocess, sys, time\n"
        "reading, writing = os.pipe()\n"
        "command = [*sys.argv[1:], '--lifeline', str(reading)]\n"
        "print(subprocess.Popen(command, pass_fds=[reading], stdout=2).pid, flush=True)\n"
        "os.close(reading)\n"
        "time.sleep(300)\n"
    )
    path = str(tmp_path / "z")
    starter = subprocess.Popen(
        [sys.executable, "-c", program, *COMMAND, "--socket", path], stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout
    with starter.stdout as output:
        zygote = int(output.readline())
    launch = Launch("json.loads", {"AWS_LAMBDA_RUNTIME_API": stub.address}, "", 2**30)
    environments = [Environment(path, launch) for _ in range(2)]
    for _ in environments:
        stub.wait_for_poll()
    starter.kill()
    starter.wait()
    gone([zygote, *(environment.pid for environment in environments)])
    for environment in environments:
        environment.close()


def test_a_module_that_starts_threads_cannot_be_preloaded(tmp_path: Path) -> None:
    (tmp_path / "threads.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    reading, writing = os.pipe()
    ended = subprocess.run(
        [*COMMAND, "--socket", str(tmp_path / "z"), "--preload", "threads", "--lifeline", str(reading)],
        pass_fds=[reading],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=20,
    )
    os.close(reading)
    os.close(writing)
    assert ended.returncode == 1
    assert "the zygote has 2 threads after importing" in ended.stderr


def test_forked_environments_find_preloaded_modules_and_run_no_handlers_of_the_zygote(
    tmp_path: Path, stub: RuntimeStub
) -> None:
    (tmp_path / "heavy.py").write_text(
        "import atexit, os\nPID = os.getpid()\natexit.register(print, 'the handler of', PID)\n"
    )
    (tmp_path / "uses.py").write_text(
        "import heavy, os, signal, sys\n"
        "print(heavy.PID == os.getppid(), signal.getsignal(signal.SIGINT) is signal.default_int_handler)\n"
        "print(signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGCHLD))\n"
        "sys.exit('ended')\n"
    )
    previous = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = str(tmp_path)
    try:
        zygote = Zygote(str(tmp_path / "z"), "--preload", "heavy")
    finally:
        os.environ["PYTHONPATH"] = previous
    environment = zygote.start(stub, "uses.handler", str(tmp_path))
    assert environment.answer() == {"status": 1}
    assert environment.output() == "True True\n0 0\nended\n"
    zygote.close()


def test_a_hundred_forks_leave_nothing_behind(tmp_path: Path, stub: RuntimeStub) -> None:
    zygote = Zygote(str(tmp_path / "z"))
    for _ in range(100):
        environment = zygote.start(stub)
        os.kill(environment.pid, signal.SIGKILL)
        assert environment.answer() == {"status": -9}
        environment.close()
    process = psutil.Process(zygote.process.pid)
    until(lambda: process.num_fds() <= 9)
    assert process.children() == []
    zygote.close()
