"""`wukong image build`, with the real Docker."""

from __future__ import annotations

import importlib.metadata
import json
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.cluster import image

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

#: Small, and with nothing below it.
PACKAGE = "zict"


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.strip()


def test_the_image_has_the_packages_and_is_still_the_executors(tmp_path: Path) -> None:
    version = importlib.metadata.version(PACKAGE)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"{PACKAGE}=={version}\n")
    tag = f"wukong-e2e-{secrets.token_hex(4)}"
    command = ["-m", "wukong.cli", "image", "build", "--requirements", str(requirements), "--tag", tag]
    built = subprocess.run(
        [sys.executable, *command, "--base", image("executor"), "--json"], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    try:
        assert json.loads(built.stdout) == {"image": tag}
        ask = f"import importlib.metadata as m, os; print(m.version('{PACKAGE}'), os.getuid())"
        assert docker("run", "--rm", "--entrypoint", "python", tag, "-c", ask) == f"{version} 10001"
        entrypoint = docker("image", "inspect", "--format", "{{json .Config.Entrypoint}}", tag)
        assert json.loads(entrypoint)[-1] == "awslambdaric"
    finally:
        docker("image", "rm", "--force", tag)
