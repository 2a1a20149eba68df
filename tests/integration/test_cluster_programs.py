"""Real programs, each with a real cluster of its own: scripts, an interactive interpreter, a notebook."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python with a script, or with what is fed to it, in `tmp_path`."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str = "", *options: str, **environ: str) -> subprocess.Popen[str]:
        arguments = list(options)
        if script:
            (tmp_path / "script.py").write_text(textwrap.dedent(script))
            arguments.append("script.py")
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.kill()


def test_script_without_a_guard_and_with_files_beside_it(
    run: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    # What the parts of a cluster import must be their own, whatever lies beside the script.
    (tmp_path / "aiohttp.py").write_text("raise RuntimeError('a stranger')")
    (tmp_path / "awslambdaric.py").write_text("raise RuntimeError('a stranger')")
    (tmp_path / "beside.py").write_text("def double(x):\n    return 2 * x\n")
    script = """
        import dask
        import beside
        from wukong import Client, LocalCluster

        class Pair:
            def __init__(self, *both):
                self.both = both

        def closure(n):
            return lambda x: x + n

        with LocalCluster() as cluster, Client(cluster) as client:
            pair = dask.delayed(Pair)(dask.delayed(beside.double)(20), dask.delayed(closure(1))(1))
            print(pair.compute().both)
    """
    # Some networks' proxies are not reachable from here; nothing of an embedded cluster may go through one.
    proxy = dict.fromkeys(("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY"), "http://127.0.0.1:9")
    process = run(script, **proxy)
    assert process.communicate()[0] == "(40, 2)\n"
    assert process.returncode == 0


def test_cluster_of_a_thread(run: Callable[..., subprocess.Popen[str]]) -> None:
    script = """
        import threading
        import dask
        from wukong import Client, LocalCluster

        def work():
            with LocalCluster() as cluster, Client(cluster) as client:
                print(client.get({"x": (sum, [1, 2])}, "x"), flush=True)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    """
    assert run(script).communicate()[0] == "3\n"


def test_interactive_interpreter_twice_after_an_edit_and_after_an_interrupt(
    run: Callable[..., subprocess.Popen[str]],
) -> None:
    process = run("", "-i", "-q")
    assert process.stdin is not None
    assert process.stdout is not None

    def enter(code: str) -> None:
        assert process.stdin is not None
        process.stdin.write(textwrap.dedent(code) + "\n")
        process.stdin.flush()

    enter("""
        import dask, time
        from wukong import Client, LocalCluster
        cluster = LocalCluster()
        client = Client(cluster)
        def f(x): return x + 1

        print(client.get({"x": (f, 1)}, "x"), flush=True)
        print(client.get({"x": (f, 1)}, "x"), flush=True)
        def f(x): return x + 2

        print(client.get({"x": (f, 1)}, "x"), flush=True)
    """)
    assert [process.stdout.readline() for _ in range(3)] == ["2\n", "2\n", "3\n"]
    enter("""
        def long(): print("running", flush=True); time.sleep(600)

        client.get({"x": (long,)}, "x")
    """)
    while "running" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    enter("""
        print(client.get({"x": (f, 2)}, "x"), flush=True)
    """)
    assert process.stdout.readline() == "4\n"
    process.stdin.close()
    assert process.wait(20) == 0


def test_notebook(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(code)
            for code in (
                "import dask\nfrom wukong import Client, LocalCluster\ncluster = LocalCluster()\ncluster",
                "client = Client(cluster)\ndef f(x): return x + 1\nclient.get({'x': (f, 1)}, 'x')",
                "def f(x): return x * 10\nclient.get({'x': (f, 1)}, 'x')",
                "client.get({'x': (lambda: 1 / 0,)}, 'x')",
                "client.get({'x': (f, 2)}, 'x')",
            )
        ]
    )
    runner = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    with runner.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            if number == 3:
                with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
                    runner.execute_cell(cell, number)
            else:
                runner.execute_cell(cell, number)
    shown = [cell.outputs[0].data["text/plain"] for cell in notebook.cells if cell.outputs[0].output_type != "error"]
    assert shown[0].startswith("<LocalCluster 127.0.0.1:")
    assert shown[1:] == ["2", "10", "20"]


def test_program_killed_in_the_middle_of_a_job_leaves_nothing(
    run: Callable[..., subprocess.Popen[str]], gone: Callable[[list[int]], None]
) -> None:
    script = """
        import json, time
        from wukong import Client, LocalCluster

        def long(cluster):
            print("running", flush=True)
            time.sleep(600)

        cluster = LocalCluster(environments=2)
        client = Client(cluster)
        client.get({"x": (sum, [1])}, "x")
        print(json.dumps(cluster.processes()), flush=True)
        client.get({"x": (long, 0)}, "x")
    """
    process = run(script)
    assert process.stdout is not None
    listed = json.loads(process.stdout.readline())
    assert "environment" in {role for role, _ in listed}
    while "running" not in process.stdout.readline():
        pass
    process.kill()
    gone([pid for _, pid in listed])


def test_listed_processes_are_all_there_are(run: Callable[..., subprocess.Popen[str]]) -> None:
    script = """
        import json, psutil
        from wukong import Client, LocalCluster

        with LocalCluster(environments=2) as cluster, Client(cluster) as client:
            client.get({"x": (sum, [1])}, "x")
            there = {process.pid for process in psutil.Process().children(recursive=True)}
            print({pid for _, pid in cluster.processes()} == there)
        print(psutil.Process().children(recursive=True))
    """
    assert run(script).communicate()[0] == "True\n[]\n"
