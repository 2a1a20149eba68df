"""What the README says about containers, run as it stands on a fresh clone."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from pathlib import Path

import docker
import pytest
from tests.e2e.cluster import ROOT, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_the_quick_start_on_a_fresh_clone(engine: docker.DockerClient, tmp_path: Path) -> None:
    clone = tmp_path / f"wukong-e2e-{secrets.token_hex(4)}"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    section = (clone / "README.md").read_text().partition("## In containers\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    there = Cluster(engine)
    # Ports and a project of its own, because others may try the same on this machine.
    environ = {**os.environ, **there.variables, "COMPOSE_PROJECT_NAME": there.project}
    script = f"set -eux\n{block.replace('127.0.0.1:50051', there.address)}"
    try:
        ran = subprocess.run(
            ["bash", "-c", script], cwd=clone, env=environ, capture_output=True, text=True, timeout=500, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert ran.stdout.splitlines()[-1] == "64000000.0"
        assert there.left() == []
    finally:
        there.down()
