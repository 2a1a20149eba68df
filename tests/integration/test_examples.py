"""Every example, at small size, on a real cluster; and as the program that its documentation says it is."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wukong import Client

ROOT = Path(__file__).parents[2]

SMALL: dict[str, dict[str, Any]] = {
    "svd_tall": {"rows": 2_000, "columns": 20, "chunk": 250},
    "svd_square": {"size": 600, "chunk": 200},
    "qr": {"size": 32, "chunk": 8},
    "tsqr": {"rows": 4_096, "columns": 32, "chunk": 512},
    "cholesky": {"size": 40, "chunk": 10},
    "gemm": {"size": 300, "chunk": 100},
    "svc": {"sizes": (400, 800), "blocks": 4},
    "flights": {"rows": 20_000, "partitions": 4},
    "digits": {"blocks": 4},
}


@pytest.fixture(autouse=True)
def _from_a_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def test_every_example_is_tested_and_in_the_demonstration() -> None:
    files = {file.stem for file in (ROOT / "examples").glob("*.py")} - {"__init__", "__main__"}
    assert files == set(SMALL)
    assert files == set(importlib.import_module("examples.__main__").EXAMPLES)


@pytest.mark.parametrize("name", SMALL)
def test_the_example_agrees_with_dask(name: str, client: Client) -> None:
    calls = []

    def get(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        return client.get(*arguments, **options)

    sentence = importlib.import_module(f"examples.{name}").run(get, **SMALL[name])
    assert isinstance(sentence, str)
    assert calls


@pytest.mark.parametrize("command", [["-m", "examples.qr"], ["examples/qr.py"]])
def test_an_example_is_a_program(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", *command], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Q and R of 128 × 128 and 128 × 512 equal Dask's; Q R = X\n"
    assert done.stderr == ""


def test_a_failed_check_fails_the_demonstration(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    demonstration = importlib.import_module("examples.__main__")
    cholesky = importlib.import_module("examples.cholesky")

    def refuse(get: Any, **sizes: Any) -> str:
        raise AssertionError("the factors differ")

    monkeypatch.setattr(demonstration, "EXAMPLES", {"qr": SMALL["qr"], "cholesky": {}})
    monkeypatch.setattr(cholesky, "run", refuse)
    assert demonstration.main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[3:5]] == [["qr", "ok"], ["cholesky", "FAILED"]]
    assert lines[4].endswith("AssertionError: the factors differ")
    assert lines[-1].startswith("1 of 2 examples passed")
