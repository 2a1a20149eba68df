"""The progress of real jobs on a real (pseudo-)terminal, in a pipe and in a notebook."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import textwrap
from pathlib import Path

import nbclient
import nbformat
import pytest

from wukong import Client, LocalCluster

# Ten tasks of a third of a second, one after the other, so that the job takes longer than two seconds.
_PROGRAM = """
import time
import wukong

def work(x):
    if x == 8:
        print("nearly there")
    time.sleep(0.35)
    return x + 1

graph = {"k-0": 0, **{f"k-{n + 1}": (work, f"k-{n}") for n in range(10)}}
client = wukong.Client(OPTIONS)
print(client.get(graph, "k-10"))
client.close()
"""


def program(options: str = "") -> str:
    return textwrap.dedent(_PROGRAM).replace("OPTIONS", options)


def on_a_terminal(path: Path, source: str, cluster: LocalCluster) -> str:
    """What a program writes to a terminal."""
    path.write_text(source)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-W", "error", path.name],
        cwd=path.parent,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "WUKONG_ADDRESS": cluster.address, "WUKONG_TOKEN": cluster.token, "TERM": "xterm"},
    )
    os.close(theirs)
    text = b""
    with process, open(ours, "rb", buffering=0) as terminal:
        with contextlib.suppress(OSError):  # which is how a terminal says that nobody is there any more
            while part := terminal.read(4096):
                text += part
        assert process.wait(60) == 0, text
    return text.decode().replace("\r\n", "\n")


def test_a_terminal_shows_a_line_and_takes_it_away(cluster: LocalCluster, tmp_path: Path) -> None:
    text = on_a_terminal(tmp_path / "program.py", program(), cluster)
    first, *drawn = text.split("\r\x1b[K")
    assert first == ""
    bars = [part for part in drawn if part.startswith("[#")]
    assert bars
    assert all("/10 tasks, 1 executor, " in bar for bar in bars if bar != bars[-1])
    # What is left to be seen when all erasures are done.
    seen = [shown.rpartition("\r\x1b[K")[2] for shown in text.split("\n")]
    assert seen == ["[k-9] nearly there", "10", ""]


def test_it_can_be_turned_off(cluster: LocalCluster, tmp_path: Path) -> None:
    text = on_a_terminal(tmp_path / "program.py", program("progress=False"), cluster)
    assert text == "[k-9] nearly there\n10\n"


def test_a_pipe_gets_lines_if_asked_for(cluster: LocalCluster, capsys: pytest.CaptureFixture[str]) -> None:
    client = Client(cluster, progress=True)
    assert client.get({"a": (abs, -1)}, "a") == 1
    client.close()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].endswith(" s")
    assert "/1 tasks, " in err


def test_a_notebook_shows_a_bar(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WUKONG_ADDRESS", cluster.address)
    monkeypatch.setenv("WUKONG_TOKEN", cluster.token)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(program())])
    nbclient.NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [
        output["data"]["text/html"] for output in notebook.cells[0].outputs if output.output_type == "display_data"
    ]
    assert len(shown) == 1
    assert shown[0].startswith('<progress value="1.0000"')
    assert "10/10 tasks" in shown[0]
