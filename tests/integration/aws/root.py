"""A Terraform root whose outputs are what a test says."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.integration.aws.amazon import CLUSTER, REGION

PROGRAM = """#!{python} -IS
import json, sys
from pathlib import Path
here = Path({here!r})
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
code, said = json.loads((here / "answer").read_text())
(sys.stderr if code else sys.stdout).write(said)
sys.exit(code)
"""


class Root:
    """A folder with a root, and a `terraform` on the PATH that answers for it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "root"
        self.folder.mkdir()
        (self.folder / "main.tf").write_text("")
        self._here = folder
        #: The scheduler that its outputs lead to, where a test has one.
        self.stage: Any = None
        programs = folder / "bin"
        programs.mkdir()
        program = programs / "terraform"
        program.write_text(PROGRAM.format(python=sys.executable, here=str(folder)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        self.tell()

    def tell(self, **outputs: Any) -> None:
        """Have these outputs."""
        named = {name: {"sensitive": False, "value": value} for name, value in outputs.items()}
        self.answer(0, json.dumps(named))

    def answer(self, code: int, said: str) -> None:
        (self._here / "answer").write_text(json.dumps([code, said]))

    def calls(self) -> list[list[str]]:
        """What the program was told each time."""
        return [json.loads(line) for line in (self._here / "calls").read_text().splitlines()]


def client(scheduler: str = "127.0.0.1:1", ca: str = "", token_secret: str = "") -> dict[str, str]:
    """What an environment's root says to clients."""
    return {
        "name": CLUSTER,
        "region": REGION,
        "scheduler": scheduler,
        "proxy": "127.0.0.1:2",
        "ca": ca,
        "token_secret": token_secret,
        "ecs_cluster": CLUSTER,
        "kvs_service": f"{CLUSTER}-kvs",
        "executor_function": f"{CLUSTER}-executor",
        "invoker_function": f"{CLUSTER}-invoker",
    }
