"""Children find the packages of their program, and nothing that shadows a module."""

from __future__ import annotations

import subprocess
from pathlib import Path

from wukong.cluster.interpreter import python_module


def _run(cwd: Path, module: str, path: tuple[str, ...], *arguments: str) -> str:
    command = python_module(module, path, *arguments)
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def test_module_is_found_on_the_given_path_and_gets_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "told.py").write_text("import sys\nprint(__name__, *sys.argv[1:])")
    assert _run(Path("/"), "told", (str(tmp_path),), "--a", "b c") == "__main__ --a b c\n"


def test_given_path_shadows_nothing(tmp_path: Path) -> None:
    (tmp_path / "told.py").write_text("import colorsys, dask\nprint(colorsys.__file__, dask.__file__)")
    (tmp_path / "colorsys.py").touch()
    (tmp_path / "dask.py").touch()
    assert str(tmp_path) not in _run(Path("/"), "told", (str(tmp_path),))


def test_working_directory_is_not_searched(tmp_path: Path) -> None:
    (tmp_path / "told.py").write_text("import sys\nprint('' in sys.path)")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "colorsys.py").touch()
    assert _run(tmp_path / "elsewhere", "told", (str(tmp_path),)) == "False\n"
