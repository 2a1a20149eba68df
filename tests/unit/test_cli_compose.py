"""`wukong up --compose` on a `docker` that answers as it is told: what is checked, what is said, what is ended."""

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
from typing import Any

import pytest

from wukong.cli.__main__ import main
from wukong.cli.compose_config import ComposeConfig, Room, version

ROOT = Path(__file__).parents[2]

DOCKER = """#!{python} -IS
import json, signal, sys, time
from pathlib import Path
here = Path({here!r})
words = sys.argv[1:]
said = []
while words:
    word = words.pop(0)
    if word in ("--file", "--project-name"):
        words.pop(0)
    elif word != "compose":
        said.append(word)
with (here / "calls").open("a") as calls:
    calls.write(" ".join(said) + "\\n")
answers = json.loads((here / "answers.json").read_text())
answer = answers.get(" ".join(said[:2])) or answers.get(said[0]) or [0, "", ""]
if answer == "forever":
    def end(number, frame):
        with (here / "calls").open("a") as calls:
            calls.write(said[0] + " was ended\\n")
        sys.exit(1)
    signal.signal(signal.SIGTERM, end)
    print("building", file=sys.stderr, flush=True)
    while True:
        time.sleep(60)
code, out, err = answer
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""


def config(port: int, proxy_port: int, socket_path: str, **others: Any) -> str:
    functions = {"wukong-executor": {"concurrency": 4, "memory_mb": 2048}}
    services = {
        "scheduler": {"ports": [{"host_ip": "127.0.0.1", "published": str(port), "target": 50051}]},
        "kvs-proxy": {"ports": [{"host_ip": "127.0.0.1", "published": str(proxy_port), "target": 50052}]},
        "kvs-node": {"scale": 2, "environment": {"WUKONG_NODE_MEMORY_MB": "2048"}},
        "lambda-emulator": {
            "environment": {"WUKONG_FUNCTIONS": json.dumps(functions)},
            "volumes": [{"source": socket_path, "target": "/var/run/docker.sock"}],
        },
    }
    return json.dumps({"name": "wukong", "services": {**services, **others}})


class Docker:
    """The stand-in, with an engine on which everything works."""

    def __init__(self, folder: Path, ports: tuple[int, int], engine: str) -> None:
        self._folder = folder
        self.ports = ports
        self._answers: dict[str, Any] = {}
        program = folder / "docker"
        program.write_text(DOCKER.format(python=sys.executable, here=str(folder)))
        program.chmod(0o755)
        self.answer("info", 0, f"{16 << 30}\n")
        self.answer("version", 0, "2.26.1-4\n")
        self.answer("config", 0, config(*ports, engine))
        self.answer("exec", 0, "the-token\n")

    def answer(self, verb: str, code: int, out: str = "", err: str = "") -> None:
        self._say(verb, [code, out, err])

    def hang(self, verb: str) -> None:
        self._say(verb, "forever")

    def _say(self, verb: str, answer: object) -> None:
        self._answers[verb] = answer
        (self._folder / "answers.json").write_text(json.dumps(self._answers))

    def calls(self) -> list[str]:
        """What it was asked, without the questions that change nothing."""
        lines = (self._folder / "calls").read_text().splitlines()
        return [line for line in lines if line.split()[0] in ("up", "down", "logs")]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Path]:
    """A socket where the engine's is."""
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        yield path


@pytest.fixture
def docker(tmp_path: Path, engine: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    folder = tmp_path / "bin"
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = one.getsockname()[1], other.getsockname()[1]
    monkeypatch.setenv("PATH", str(folder))
    for name in ("DOCKER_HOST", "WUKONG_TOKEN", "WUKONG_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    return Docker(folder, ports, str(engine))


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(docker: Docker, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command here: exit code, output, errors."""

    def command(*words: str) -> tuple[int, str, str]:
        code = main(["up", "--compose", *words])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return command


def test_it_is_started_and_left(run: Run, docker: Docker) -> None:
    code, out, err = run("--detach")
    assert (code, err) == (0, "")
    assert f"Wukong is up at 127.0.0.1:{docker.ports[0]}, in containers." in out
    compose = f"docker compose --file {ROOT}/compose.yaml --project-name wukong"
    assert f"export WUKONG_TOKEN=$({compose} exec -T scheduler cat /run/wukong/token)\n" in out
    assert f"`{compose} down` ends it." in out
    assert "the-token" not in out
    assert docker.calls() == ["up --detach --wait"]


def test_programs_are_told_the_token(run: Run, docker: Docker) -> None:
    code, out, _ = run("--detach", "--json", "--kvs-nodes", "5")
    assert code == 0
    assert json.loads(out) == {"address": f"127.0.0.1:{docker.ports[0]}", "token": "the-token"}
    assert docker.calls() == ["up --detach --wait --scale kvs-node=5"]


def test_options_are_given_on_as_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    import argparse

    from wukong.cli.compose_up import _environ

    monkeypatch.delenv("WUKONG_MEMORY_MB", raising=False)
    asked = {"address": "127.0.0.1:6000", "environments": 3, "memory_mb": None, "kvs_nodes": None}
    environ = _environ(argparse.Namespace(**asked))
    assert (environ["WUKONG_PORT"], environ["WUKONG_ENVIRONMENTS"]) == ("6000", "3")
    assert "WUKONG_MEMORY_MB" not in environ


@pytest.mark.parametrize(
    ("verb", "answer", "code", "says"),
    [
        ("info", (1, "0\n", "Cannot connect to the Docker daemon at x. Is it running?"), 3, "engine does not answer"),
        ("info", (1, "", "permission denied while trying to connect"), 3, "see that you may use it (group docker)"),
        ("version", (1, "", "docker: 'compose' is not a docker command."), 3, "Docker has no Compose here"),
        ("version", (0, "2.23.3\n", ""), 3, "Compose is 2.23.3 here, and 2.24 or newer is needed"),
        ("config", (15, "", "yaml: line 3: mapping values"), 2, "yaml: line 3: mapping values"),
        ("config", (0, '{"name": "shop", "services": {"web": {}}}', ""), 2, "it is not Wukong's Compose file"),
        ("info", (0, f"{1 << 30}\n", ""), 3, "one environment (2,048 MB) with the services needs 2,560 MB"),
    ],
)
def test_what_is_missing_is_said_before_anything_starts(
    run: Run, docker: Docker, verb: str, answer: tuple[int, str, str], code: int, says: str
) -> None:
    docker.answer(verb, *answer)
    found, out, err = run("--detach")
    assert (found, out) == (code, "")
    assert says in err
    assert len(err.splitlines()) == 1
    assert docker.calls() == []


def test_docker_itself_may_be_missing(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = run()
    assert code == 3
    assert "there is no program `docker` here: install Docker with Compose 2.24 or newer" in err


def test_the_engines_socket_may_be_missing(run: Run, docker: Docker, engine: Path) -> None:
    engine.unlink()
    code, _, err = run()
    assert code == 3
    assert f"the engine's socket {engine} is missing" in err
    assert docker.calls() == []


@pytest.mark.parametrize(("taken", "variable"), [(0, "WUKONG_PORT"), (1, "WUKONG_PROXY_PORT")])
def test_a_port_in_use_is_named(run: Run, docker: Docker, taken: int, variable: str) -> None:
    with socket.create_server(("127.0.0.1", docker.ports[taken])):
        code, _, err = run()
        assert code == 3
        assert f"127.0.0.1:{docker.ports[taken]}" in err
        assert "cannot be listened on: Address already in use. Stop the program that uses the port" in err
        assert f"choose another one with {variable}" in err
        assert docker.calls() == []
        # By this very cluster it may be in use.
        docker.answer("ps --services", 0, "scheduler\nkvs-proxy\n")
        assert run("--detach")[0] == 0


def test_memory_that_may_be_too_little_is_a_warning(run: Run, docker: Docker) -> None:
    docker.answer("info", 0, f"{8 << 30}\n")
    code, _, err = run("--detach")
    assert code == 0
    assert "warning: the engine has 8,192 MB of memory, and the cluster may use 12,800 MB" in err


def test_what_did_not_start_is_shown_and_ended(run: Run, docker: Docker) -> None:
    docker.answer("up", 1, "", "container wukong-mds-1 is unhealthy\n")
    states = [("mds", 0, "unhealthy"), ("secrets", 0, ""), ("executor", 127, "")]
    lines = [json.dumps({"Service": name, "ExitCode": code, "Health": health}) for name, code, health in states]
    docker.answer("ps --all", 0, "\n".join(lines))
    docker.answer("logs", 0, "mds-1  | no room\n")
    code, out, err = run("--detach")
    assert (code, out) == (3, "")
    assert "wukong: the containers did not start (mds, executor): what they said is above" in err
    assert err.index("container wukong-mds-1 is unhealthy") < err.index("mds-1  | no room") < err.index("did not start")
    calls = docker.calls()
    assert calls[:3] == ["up --detach --wait", "logs --no-color --tail 20 mds executor", "down"]


def test_a_cluster_that_ran_is_not_ended_because_it_could_not_be_changed(run: Run, docker: Docker) -> None:
    docker.answer("ps --services", 0, "scheduler\nkvs-proxy\n")
    docker.answer("up", 1, "", "no such image\n")
    code, _, err = run()
    assert code == 3
    assert "Compose says why" in err
    assert docker.calls() == ["up --detach --wait"]


def test_what_came_while_it_was_ended_is_ended_too(run: Run, docker: Docker) -> None:
    docker.answer("up", 1)
    docker.answer("ps --all", 0, json.dumps({"Service": "environment", "ExitCode": 0, "Health": ""}))
    assert run()[0] == 3
    assert docker.calls() == ["up --detach --wait", "down", "down", "down"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--address", "10.0.0.1:50051"), "10.0.0.1:50051 is not there. Give --address 127.0.0.1:PORT"),
        (("--environments", "0"), "environments is 0; it must be at least 1"),
        (("--kvs-nodes", "0"), "kvs_nodes is 0; it must be at least 1"),
        (("--file", "/nowhere/compose.yaml"), "there is no file /nowhere/compose.yaml"),
        (("--token", "mine"), "leave --token away"),
    ],
)
def test_options_that_cannot_be(run: Run, words: tuple[str, ...], says: str) -> None:
    code, _, err = run(*words)
    assert code == 2
    assert says in err


def test_embedded_clusters_are_not_detached(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "--detach"]) == 2
    assert "--detach and --file are for --compose" in capsys.readouterr().err


def test_a_package_without_its_repository_says_where_the_file_is(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import wukong

    monkeypatch.setattr(wukong, "__file__", str(tmp_path / "site-packages/wukong/__init__.py"))
    monkeypatch.chdir(tmp_path)
    code, _, err = run()
    assert code == 2
    assert "the Compose file is a part of Wukong's repository, and not of the package" in err


@pytest.fixture
def started(docker: Docker) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "wukong.cli", "up", "--compose"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=dict(os.environ),
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        with process:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_is_kept_until_it_is_told_to_end(
    started: Callable[[], subprocess.Popen[str]], docker: Docker, number: signal.Signals
) -> None:
    process = started()
    assert process.stdout is not None
    while "Ctrl-C ends it." not in (line := process.stdout.readline()):
        assert line, process.stderr
    os.killpg(process.pid, number)  # what a terminal does
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert docker.calls() == ["up --detach --wait", "down"]


def test_ctrl_c_while_it_starts_ends_what_started(started: Callable[[], subprocess.Popen[str]], docker: Docker) -> None:
    docker.hang("up")
    process = started()
    assert process.stderr is not None
    assert process.stderr.readline() == "building\n"
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert docker.calls() == ["up --detach --wait", "up was ended", "down"]


def test_a_cluster_that_went_away_is_an_error(run: Run, docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    from wukong.cli import compose_up

    monkeypatch.setattr(compose_up, "_GONE", 0.2)
    monkeypatch.setattr(compose_up, "_LOOK", 0.05)
    began = time.monotonic()
    code, _, err = run()
    assert code == 3
    assert "was the cluster ended elsewhere?" in err
    assert time.monotonic() - began >= 0.2
    assert docker.calls() == ["up --detach --wait", "down"]


def test_the_real_file_is_understood_in_part() -> None:
    """What of it needs no Compose to read: all of it is read in tests/e2e."""
    text = (ROOT / "compose/compose.yaml").read_text()
    for name in ("scheduler", "kvs-proxy", "kvs-node", "lambda-emulator", "wukong-executor", "WUKONG_NODE_MEMORY_MB"):
        assert name in text


@pytest.mark.parametrize(("text", "found"), [("2.26.1-4", (2, 26)), ("v2.24.0", (2, 24)), ("5.1", (5, 1)), ("dev", ())])
def test_versions_of_compose(text: str, found: tuple[int, ...]) -> None:
    assert version(text) == found


def test_room() -> None:
    room = Room(environments=4, environment_mb=2048, nodes=2, node_mb=2048)
    assert (room.error(2560), room.warning(12_800)) == ("", "")
    assert "2,559 MB" in room.error(2559)
    assert "4 environments of 2,048 MB and 2 KVS nodes of 2,048 MB" in room.warning(12_799)


def test_a_config_of_wukong() -> None:
    found = ComposeConfig.parse(config(1, 2, "/s"))
    assert (found.project, found.address, found.socket) == ("wukong", "127.0.0.1:1", "/s")
    assert found.room == Room(4, 2048, 2, 2048)
    for text in ("", "{}", config(1, 2, "/s", scheduler={"ports": []})):
        with pytest.raises(ValueError, match="it is not Wukong's Compose file"):
            ComposeConfig.parse(text)
