"""However a program ends, its cluster ends too; and what does not end the program does not end the cluster."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wukong import LocalCluster

Gone = Callable[[list[int]], None]

# A plain script, without a __main__ guard. It says what runs, and then waits in `body`.
_SCRIPT = """
import json, os, sys, wukong
cluster = wukong.LocalCluster(kvs_nodes=2)
print(json.dumps(cluster.processes()), flush=True)
{body}
"""


@pytest.fixture
def program(
    standins: Callable[..., None], tmp_path: Path
) -> Iterator[Callable[..., tuple[subprocess.Popen[str], dict[str, list[int]]]]]:
    """Start a script with a cluster, in a session of its own; tells its processes by role."""
    started: list[subprocess.Popen[str]] = []
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    def start(body: str) -> tuple[subprocess.Popen[str], dict[str, list[int]]]:
        script = tmp_path / "script.py"
        script.write_text(_SCRIPT.format(body=body))
        process = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
        started.append(process)
        assert process.stdout is not None
        roles: dict[str, list[int]] = {}
        for role, pid in json.loads(process.stdout.readline()):
            roles.setdefault(role, []).append(pid)
        return process, roles

    yield start
    for process in started:
        with process:
            process.kill()


def _all(roles: dict[str, list[int]]) -> list[int]:
    return [pid for pids in roles.values() for pid in pids]


def test_killed_program_leaves_nothing(
    program: Callable[..., tuple[subprocess.Popen[str], dict[str, list[int]]]],
    gone: Gone,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "temporary"
    process, roles = program("sys.stdin.read()")
    assert len(list(folder.iterdir())) == 1
    process.kill()
    gone(_all(roles))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("first", ["control", "zygote", "store", "storekeeper"])
def test_killed_part_and_then_killed_program_leaves_nothing(
    program: Callable[..., tuple[subprocess.Popen[str], dict[str, list[int]]]], gone: Gone, first: str
) -> None:
    process, roles = program("sys.stdin.read()")
    os.kill(roles[first][0], signal.SIGKILL)
    gone(roles[first][:1])
    process.kill()
    gone(_all(roles))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "raise SystemExit(3)",
        "1 / 0",
        "os.kill(os.getpid(), 15)",
        "os._exit(0)",
        "os.abort()",
        "cluster.close()",
        "del cluster",
    ],
)
def test_program_that_ends_leaves_nothing(
    program: Callable[..., tuple[subprocess.Popen[str], dict[str, list[int]]]], gone: Gone, body: str
) -> None:
    process, roles = program(body)
    process.wait()
    gone(_all(roles))


def test_processes_that_the_program_forks_do_not_keep_the_cluster(
    program: Callable[..., tuple[subprocess.Popen[str], dict[str, list[int]]]], gone: Gone
) -> None:
    body = "child = os.fork()\nif child == 0: sys.stdin.read(); os._exit(0)\nprint(child, flush=True)\nos.wait()"
    process, roles = program(body)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.kill()
    gone(_all(roles))
    os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("order", [("control", "storekeeper"), ("storekeeper", "control"), ("zygote", "control")])
def test_parts_that_are_killed_together_with_the_program_leave_nothing(
    program: Callable[..., tuple[subprocess.Popen[str], dict[str, list[int]]]], gone: Gone, order: tuple[str, str]
) -> None:
    process, roles = program("sys.stdin.read()")
    for role in order:
        os.kill(roles[role][0], signal.SIGKILL)
    process.kill()
    gone(_all(roles))


def test_parts_that_were_started_again_end_with_the_program(
    program: Callable[..., tuple[subprocess.Popen[str], dict[str, list[int]]]], gone: Gone, tmp_path: Path
) -> None:
    body = "for line in sys.stdin:\n    print(json.dumps(cluster.processes()), flush=True)"
    process, roles = program(body)
    assert process.stdin is not None
    assert process.stdout is not None
    seen = set(_all(roles))
    for role in ("storekeeper", "control"):
        os.kill(roles[role][0], signal.SIGKILL)
        gone(roles[role][:1])
    deadline = time.monotonic() + 60
    while True:
        process.stdin.write("?\n")
        process.stdin.flush()
        now = [pid for _, pid in json.loads(process.stdout.readline())]
        seen.update(now)
        if set(now).isdisjoint(_all(roles)):
            break
        assert time.monotonic() < deadline
    process.kill()
    gone(sorted(seen))
    assert list((tmp_path / "temporary").iterdir()) == []


def test_forked_copy_does_not_close_the_cluster(standins: Callable[..., None]) -> None:
    with LocalCluster() as cluster:
        child = os.fork()
        if child == 0:
            cluster.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert cluster.processes()


def test_interrupt_ends_the_program_and_not_the_cluster_before_it(
    program: Callable[..., tuple[subprocess.Popen[str], dict[str, list[int]]]], gone: Gone
) -> None:
    body = (
        "try:\n    print('reading', flush=True)\n    sys.stdin.read()\n"
        "except KeyboardInterrupt: print(len(cluster.processes()), flush=True)\nsys.stdin.read()"
    )
    process, roles = program(body)
    assert process.stdout is not None
    assert process.stdout.readline() == "reading\n"
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    assert int(process.stdout.readline()) == len(_all(roles))
    os.killpg(process.pid, signal.SIGINT)
    process.wait()
    gone(_all(roles))


def test_garbage_collector_closes(standins: Callable[..., None], gone: Gone) -> None:
    cluster = LocalCluster()
    pids = [pid for _, pid in cluster.processes()]
    del cluster
    gc.collect()
    gone(pids)


def test_close_may_be_called_again(standins: Callable[..., None], gone: Gone) -> None:
    cluster = LocalCluster()
    pids = [pid for _, pid in cluster.processes()]
    cluster.close()
    gone(pids)
    cluster.close()


def test_thread_that_started_the_cluster_may_end(standins: Callable[..., None]) -> None:
    clusters: list[LocalCluster] = []
    thread = threading.Thread(target=lambda: clusters.append(LocalCluster()))
    thread.start()
    thread.join()
    with clusters.pop() as cluster:
        assert len(cluster.processes()) == 5
