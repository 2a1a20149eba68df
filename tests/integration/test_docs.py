"""Every block of Python in the documentation runs, as a user would run it: the blocks of a page are one program.

Pages whose programs name no cluster of their own find the tests' one, as after `wukong up`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from wukong import LocalCluster

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

PROGRAMS = [
    pytest.param("\n".join(blocks), id=page.relative_to(ROOT).as_posix())
    for page in PAGES
    if (blocks := BLOCK.findall(page.read_text()))
]


def test_blocks_are_found() -> None:
    assert len(PROGRAMS) >= 3


def test_no_block_hides_behind_another_spelling() -> None:
    languages = {found for page in PAGES for found in re.findall(r"^```(\w+)", page.read_text(), re.MULTILINE)}
    # Images are built in tests/e2e, and of "js" test_clients.py takes care.
    assert languages <= {"python", "sh", "text", "js", "dockerfile"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_page_runs(program: str, cluster: LocalCluster, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(program)
    done = subprocess.run(
        [sys.executable, "-W", "error", script.name],
        cwd=tmp_path,
        env={**os.environ, "WUKONG_ADDRESS": cluster.address, "WUKONG_TOKEN": cluster.token},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
