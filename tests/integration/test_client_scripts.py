"""Programs as users write them: scripts without a guard, their own modules, notebooks, edits, and Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbclient
import nbformat
import pytest

from wukong import Client, LocalCluster

Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def start(cluster: LocalCluster, tmp_path: Path) -> Iterator[Start]:
    """Start a script in a folder of its own; `Client()` in it finds the cluster of the tests."""
    running: list[subprocess.Popen[str]] = []
    environ = {**os.environ, "WUKONG_ADDRESS": cluster.address, "WUKONG_TOKEN": cluster.token}

    def run(source: str) -> subprocess.Popen[str]:
        script = tmp_path / "script.py"
        script.write_text(textwrap.dedent(source))
        process = subprocess.Popen(
            [sys.executable, "-W", "error", str(script)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environ,
            cwd=tmp_path,
            start_new_session=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def output(process: subprocess.Popen[str], seconds: float = 60) -> str:
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, err
    assert err == ""
    return out


def appears(path: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.01)


def test_a_plain_script_without_a_guard_runs_once(start: Start) -> None:
    process = start(
        """
        import dask.array as da
        from wukong import Client, LocalCluster

        print("begun")
        with LocalCluster(environments=1) as cluster, Client(cluster) as client:
            x = da.random.default_rng(1).random((4096, 16), chunks=(512, 16))
            q, r = da.linalg.tsqr(x)
            R = r.compute(scheduler=client.get)
        print(abs(R.T @ R - (x.T @ x).compute(scheduler="synchronous")).max() < 1e-9)
        """
    )
    assert output(process) == "begun\nTrue\n"


def test_what_main_defines_runs_on_executors(start: Start) -> None:
    process = start(
        """
        import dask
        from dataclasses import dataclass
        from wukong import Client

        OFFSET = 10

        @dataclass
        class Point:
            x: int
            def moved(self):
                return Point(self.x + OFFSET)

        class Refused(Exception):
            pass

        def double(point):
            return Point(2 * point.x)

        def closure(factor):
            return lambda point: Point(point.x * factor)

        def refuse(point):
            raise Refused(point)

        client = Client()
        found = client.get({"a": (Point, 1), "b": (double, "a"), "c": (Point.moved, "b"), "d": (closure(3), "c")}, "d")
        print(found, isinstance(found, Point))
        try:
            client.get({"a": (refuse, found)}, "a")
        except Refused as error:
            print("refused", error.args[0] == Point(36))
        print(dask.delayed(lambda: OFFSET)().compute(scheduler=client.get))
        client.close()
        """
    )
    assert output(process) == "Point(x=36) True\nrefused True\n10\n"


def test_modules_beside_the_script_travel_along(start: Start, tmp_path: Path) -> None:
    package = tmp_path / "beside"
    package.mkdir()
    (package / "__init__.py").write_text("from beside.inner import Pair, swap\n")
    (package / "inner.py").write_text(
        textwrap.dedent(
            """
            class Pair:
                def __init__(self, one, other):
                    self.one, self.other = one, other

            def swap(pair):
                return Pair(pair.other, pair.one)
            """
        )
    )
    (tmp_path / "single.py").write_text("from beside import swap\n\ndef twice(pair):\n    return swap(swap(pair))\n")
    process = start(
        """
        import single
        from beside import Pair, swap
        from wukong import Client

        client = Client()
        found = client.get({"a": (Pair, 1, 2), "b": (swap, "a"), "c": (single.twice, "b")}, "c")
        print(type(found) is Pair, found.one, found.other)
        client.close()
        """
    )
    assert output(process) == "True 2 1\n"


def test_a_script_that_closes_nothing_ends_by_itself(start: Start) -> None:
    process = start(
        """
        from wukong import Client
        client = Client()
        print(client.get({"a": (abs, -1)}, "a"))
        """
    )
    assert output(process) == "1\n"


INTERRUPTED = """
    import time
    from pathlib import Path
    from wukong import Client

    client = Client()

    folder = Path({folder!r})

    def wait():
        (folder / "started").touch()
        while not (folder / "interrupted").exists():
            time.sleep(0.01)

    try:
        client.get({{"a": (wait,)}}, "a")
    except KeyboardInterrupt:
        print("interrupted", [state for _, state in client.jobs() if state == "running"])
        # The environment is free again when its task ends.
        (folder / "interrupted").touch()
    print(client.get({{"a": (abs, -5)}}, "a"))
    client.close()
    """


def test_ctrl_c_cancels_the_job_and_the_program_can_go_on(start: Start, tmp_path: Path) -> None:
    process = start(INTERRUPTED.format(folder=str(tmp_path)))
    appears(tmp_path / "started")
    # To the whole process group, as a terminal does it.
    os.killpg(process.pid, signal.SIGINT)
    assert output(process, 30) == "interrupted []\n5\n"


def test_ctrl_c_does_not_end_an_embedded_cluster(start: Start, tmp_path: Path) -> None:
    source = INTERRUPTED.format(folder=str(tmp_path)).replace(
        "client = Client()", "from wukong import LocalCluster; cluster = LocalCluster(); client = Client(cluster)"
    )
    process = start(source)
    appears(tmp_path / "started")
    os.killpg(process.pid, signal.SIGINT)
    assert output(process, 30) == "interrupted []\n5\n"


def test_a_second_ctrl_c_does_not_wait_for_a_scheduler_that_is_stuck(tmp_path: Path, start: Start) -> None:
    with LocalCluster(environments=1) as stuck:
        process = start(
            f"""
            import time
            from pathlib import Path
            from wukong import Client

            def wait():
                Path({str(tmp_path)!r}, "started").touch()
                time.sleep(60)

            Client({stuck.address!r}, token={stuck.token!r}, timeout=60).get({{"a": (wait,)}}, "a")
            """
        )
        appears(tmp_path / "started")
        control = next(pid for role, pid in stuck.processes() if role == "control")
        os.kill(control, signal.SIGSTOP)
        try:
            end = time.monotonic() + 20
            while process.poll() is None:
                assert time.monotonic() < end, "the program still waits"
                os.kill(process.pid, signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.3)
        finally:
            os.kill(control, signal.SIGCONT)
        assert process.returncode == -signal.SIGINT


def test_an_edited_function_is_the_one_that_runs(client: Client) -> None:
    space: dict[str, object] = {"__name__": "__main__"}
    for factor in (2, 3):
        exec(f"def work(x):\n    return x * {factor}\n", space)
        assert client.get({"a": (space["work"], 5)}, "a") == 5 * factor


NOTEBOOK = [
    """
import dask.array as da
from wukong import Client
client = Client()

def work(x):
    print("working")
    return x + 1
""",
    """
da.ones(100, chunks=50).map_blocks(work, dtype=float).sum().compute(scheduler=client.get)
""",
    """
def work(x):
    return x + 2

int(da.ones(100, chunks=50).map_blocks(work, dtype=float).sum().compute(scheduler=client.get))
""",
    """
import _thread, pathlib, tempfile, threading, time
folder = pathlib.Path(tempfile.mkdtemp())

def wait():
    while folder.exists():
        time.sleep(0.01)

threading.Timer(0.5, _thread.interrupt_main).start()
try:
    client.get({"a": (wait,)}, "a")
except KeyboardInterrupt:
    print("interrupted")
folder.rmdir()
""",
    """
with client:
    print(int(da.arange(10, chunks=5).sum().compute()))
""",
]


def test_a_notebook_runs_twice_after_an_edit_and_an_interrupt(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WUKONG_ADDRESS", cluster.address)
    monkeypatch.setenv("WUKONG_TOKEN", cluster.token)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    cells = [
        nbformat.v4.new_code_cell(source.strip())  # type: ignore[no-untyped-call]
        for source in [*NOTEBOOK, *NOTEBOOK]
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    for half in (cells[:5], cells[5:]):
        assert text(half[1]).count("working") >= 2
        assert text(half[2]).endswith("300")
        assert text(half[3]) == "interrupted\n"
        assert text(half[4]) == "45\n"


def text(cell: nbformat.NotebookNode) -> str:
    """All that a cell shows."""
    return "".join(item.get("text", "") or item.get("data", {}).get("text/plain", "") for item in cell.outputs)
