"""The `wukong` command: as the documentation shows it, in processes of its own, and its answers to what goes wrong."""

from __future__ import annotations

import concurrent.futures
import contextlib
import importlib.metadata
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from wukong import Client, JobCancelled, LocalCluster
from wukong.cli.__main__ import main

PAGE = (Path(__file__).parents[2] / "docs/cli.md").read_text()
COMMANDS = [line for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S) for line in block.splitlines()]
(GRAPH,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.M | re.S)

Start = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the command in a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def command(*words: str, **environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "wukong.cli", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **environ},
            start_new_session=True,
        )
        started.append(process)
        return process

    yield command
    for process in started:
        with process:
            process.kill()


@pytest.fixture
def run(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command here, with the cluster of the tests: exit code, output, errors."""
    monkeypatch.setenv("WUKONG_ADDRESS", cluster.address)
    monkeypatch.setenv("WUKONG_TOKEN", cluster.token)

    def command(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return command


@pytest.fixture
def graph(tmp_path: Path) -> Callable[[str, list[object]], str]:
    """Write a graph of one task."""

    def write(function: str, args: list[object]) -> str:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        tasks = [{"id": "a", "call": {"function": function, "args": args}}]
        path.write_text(json.dumps({"tasks": tasks, "targets": ["a"]}))
        return str(path)

    return write


def test_the_command_is_installed() -> None:
    (point,) = importlib.metadata.entry_points(group="console_scripts", name="wukong")
    assert point.load() is main


def test_the_session_of_the_page(start: Start, tmp_path: Path) -> None:
    up, *others = [shlex.split(line, comments=True)[1:] for line in COMMANDS]
    assert up == ["up"]
    assert {words[0] for words in others} == set(re.findall(r"^\| `wukong (\w+)", PAGE, re.M)) - {"up"}
    (tmp_path / "graph.json").write_text(GRAPH)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    upped = start(*up, TMPDIR=str(temporary))
    assert upped.stdout is not None
    said = ""
    while "Ctrl-C" not in said:
        line = upped.stdout.readline()
        assert line
        said += line
    environ = dict(word.split("=") for word in re.findall(r"WUKONG_\w+=\S+", said))
    children = psutil.Process(upped.pid).children(recursive=True)
    assert children
    outputs = {}
    for words in others:
        command = start(*words, **environ)
        out, err = command.communicate(timeout=60)
        assert command.returncode == 0, err
        outputs[words[0]] = out
    assert json.loads(outputs["submit"]) == {"c": 9}
    assert [(job["id"], job["state"]) for job in json.loads(outputs["jobs"])][-1] == ("sum-1", "done")
    assert "3/3" in outputs["job"]
    assert outputs["report"].startswith("3 runs of 3 tasks")
    assert re.search(r"^  slowest  \d\.\d{3} s  [abc]$", outputs["report"], re.M)
    assert outputs["logs"] == ""
    assert outputs["cancel"] == "job sum-1: done, it had ended before\n"
    assert "The result equals Dask's own." in outputs["demo"]
    assert re.findall(r"^(\w+) +(\w+)", outputs["doctor"], re.M) == [
        ("ok", name) for name in ("scheduler", "proxy", "stores", "nodes", "versions", "first", "next")
    ]
    upped.send_signal(signal.SIGTERM)
    _, err = upped.communicate(timeout=30)
    assert (upped.returncode, err) == (0, "")
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert list(temporary.iterdir()) == []


def test_every_documented_command_and_option_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    for name in [*re.findall(r"^\| `wukong (\w+)", PAGE, re.M), "cluster info"]:
        with pytest.raises(SystemExit, match="0"):
            main([*name.split(), "--help"])
        if name != "cluster":
            assert {"--json", "--address", "--token"} <= set(re.findall(r"--\w+", capsys.readouterr().out))


def test_up_ends_on_ctrl_c_and_tells_json(start: Start) -> None:
    process = start("up", "--json", "--environments", "1")
    assert process.stdout is not None
    found = json.loads(process.stdout.readline())
    assert set(found) == {"address", "token"}
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert psutil.wait_procs(children, timeout=10)[1] == []


def test_up_keeps_its_cluster_when_parts_of_it_are_killed(start: Start) -> None:
    process = start("up", "--json", "--environments", "1")
    assert process.stdout is not None
    host, _, port = json.loads(process.stdout.readline())["address"].rpartition(":")
    children = psutil.Process(process.pid).children()
    for child in children:
        child.kill()
    psutil.wait_procs(children, timeout=10)
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection((host, int(port))).close()
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_up_tells_that_its_cluster_cannot_be_kept(start: Start) -> None:
    process = start("up", "--json", "--environments", "1")
    assert process.stdout is not None
    process.stdout.readline()
    deadline = time.monotonic() + 90
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):  # it ended meanwhile
            for child in psutil.Process(process.pid).children():
                if "storekeeper" in " ".join(child.cmdline()):
                    child.kill()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "wukong: the embedded cluster gave up, because its part 'storekeeper' could not be kept" in err


def test_a_job_that_fails_is_told_in_one_line(run: Run, graph: Callable[[str, list[object]], str]) -> None:
    code, out, err = run("submit", graph("operator:truediv", [1, 0]))
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].endswith("failed: task a raised builtins.ZeroDivisionError: division by zero")
    job = err.split()[2]
    code, out, _ = run("job", job)
    assert code == 0
    assert "Traceback (most recent call last)" in out
    code, out, _ = run("job", job, "--json")
    assert json.loads(out)["error"]["type"] == "builtins.ZeroDivisionError"


def test_submit_tells_the_whole_job_as_json(run: Run, graph: Callable[[str, list[object]], str]) -> None:
    code, out, _ = run("submit", "--json", graph("builtins:list", [[1, 2.5, None]]))
    found = json.loads(out)
    assert (code, found["state"], found["results"], found["error"]) == (0, "done", {"a": [1, 2.5, None]}, None)
    _, out, _ = run("report", "--json", found["id"])
    assert json.loads(out) == found["report"]


def test_a_value_too_large_for_the_job_is_fetched(run: Run, graph: Callable[[str, list[object]], str]) -> None:
    code, out, _ = run("submit", graph("operator:mul", ["a" * 1000, 20_000]))
    assert code == 0
    assert json.loads(out) == {"a": "a" * 20_000_000}


def test_an_id_stands_for_one_graph(run: Run, tmp_path: Path, client: Client) -> None:
    path = tmp_path / "graph.json"
    path.write_bytes(b"\xef\xbb\xbf" + GRAPH.replace("sum-1", "sum-2").encode())  # as editors on Windows write it
    for _ in range(2):
        assert run("submit", str(path))[:2] == (0, '{\n  "c": 9\n}\n')
    path.write_text(GRAPH.replace("sum-1", "sum-2").replace("[1, 2]", "[1, 3]"))
    code, out, err = run("submit", str(path))
    assert (code, out) == (2, "")
    assert "job 'sum-2' was submitted before with another graph" in err
    client.job("sum-2").release()
    client.close()  # which waits for it
    code, out, err = run("submit", str(path))
    assert (code, out) == (2, "")
    assert "a job 'sum-2' was released before" in err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"Wukong {importlib.metadata.version('wukong')}\n"


def test_other_exits(run: Run, graph: Callable[[str, list[object]], str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        unused = f"127.0.0.1:{server.getsockname()[1]}"
    for words, code, says in (
        ((), 2, "COMMAND"),
        (("fly",), 2, "invalid choice: 'fly'"),
        (("submit", str(tmp_path / "none.json")), 2, "cannot read"),
        (("submit", graph("os:system", ["true"])), 2, "os:system"),
        (("submit", graph("no function", [])), 2, "is not of the form module:name"),
        (("jobs", "--address", "nowhere"), 2, "not of the form host:port"),
        (("up", "--address", "10.0.0.1"), 2, "10.0.0.1 is not there. Give --address 127.0.0.1:PORT"),
        (("up", "--token", "mine"), 2, "leave --token away"),
        (("up", "--environments", "0"), 2, "environments is 0"),
        (("jobs", "--token", "wrong"), 4, "token is wrong"),
        (("doctor", "--json", "--token", "wrong"), 4, ""),
        (("doctor", "--json", "--address", unused), 3, ""),
        (("job", "unheard-of"), 5, "unheard-of"),
        (("logs", "unheard-of"), 5, "unheard-of"),
        (("cancel", "unheard-of"), 5, "unheard-of"),
    ):
        found, _, err = run(*words)
        assert (found, says in err) == (code, True), (words, err)
        assert "Traceback" not in err
        assert all(line.startswith("wukong: ") for line in err.splitlines())


def test_a_cluster_must_be_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WUKONG_TOKEN")
    assert run("jobs")[::2] == (
        2,
        f"wukong: no token for {os.environ['WUKONG_ADDRESS']}: give --token or set WUKONG_TOKEN\n",
    )
    monkeypatch.delenv("WUKONG_ADDRESS")
    code, _, err = run("jobs")
    assert code == 2
    assert "set WUKONG_ADDRESS" in err


def test_logs_and_cancel_of_a_job_that_runs(run: Run, start: Start, client: Client, cluster: LocalCluster) -> None:
    def work() -> None:
        print("at work", flush=True)
        time.sleep(60)

    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        done = threads.submit(client.get, {"work": (work,)}, "work")
        end = time.monotonic() + 30
        while not (running := [job for job, state in client.jobs() if state == "running"]):
            assert time.monotonic() < end
            time.sleep(0.01)
        (job,) = running
        while (found := run("logs", job))[1] != "[work] at work\n":
            assert found[::2] == (0, "")
            assert time.monotonic() < end
        following = start("logs", "--json", "-f", job, WUKONG_ADDRESS=cluster.address, WUKONG_TOKEN=cluster.token)
        assert following.stdout is not None
        assert json.loads(following.stdout.readline()) == {"task": "work", "stream": "stdout", "text": "at work\n"}
        assert run("cancel", job, "--reason", "enough") == (0, f"job {job}: cancelled\n", "")
        with pytest.raises(JobCancelled, match="enough"):
            done.result(30)
    _, err = following.communicate(timeout=30)
    assert (following.returncode, err) == (0, "")


def test_ctrl_c_cancels_what_was_submitted(start: Start, run: Run, cluster: LocalCluster, tmp_path: Path) -> None:
    # A graph that takes long: there is nothing among the functions of an executor that waits.
    tasks: list[dict[str, object]] = [{"id": "0", "call": {"function": "builtins:range", "args": [5_000_000]}}]
    tasks += [
        {
            "id": str(n),
            "call": {"function": "builtins:sum", "args": [{"$task": "0"}, {"$task": str(n - 1)} if n > 1 else 0]},
        }
        for n in range(1, 300)
    ]
    (tmp_path / "long.json").write_text(json.dumps({"job_id": "long", "tasks": tasks, "targets": ["299"]}))
    process = start("submit", "long.json", WUKONG_ADDRESS=cluster.address, WUKONG_TOKEN=cluster.token)
    assert process.stderr is not None
    assert process.stderr.readline() == "wukong: job long\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "wukong: interrupted\n")
    assert json.loads(run("job", "--json", "long")[1])["state"] == "cancelled"


def test_a_reader_that_has_seen_enough_is_no_error(start: Start, cluster: LocalCluster) -> None:
    process = start("cluster", "info", WUKONG_ADDRESS=cluster.address, WUKONG_TOKEN=cluster.token)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
