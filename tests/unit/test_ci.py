"""CI does not pass where the tests on real containers cannot run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def see_to_docker(folder: Path, docker: str) -> subprocess.CompletedProcess[str]:
    """Run .ci/docker where `docker` is a shell script, and where nothing can start an engine."""
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{docker}\n")
    program.chmod(0o755)
    environ = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "DOCKER_ENGINE": str(folder / "nothing")}
    return subprocess.run([ROOT / ".ci/docker"], env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_an_engine_that_runs_is_left_as_it_is(tmp_path: Path) -> None:
    ran = see_to_docker(tmp_path, "exit 0")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_an_engine_without_the_base_image_may_have_a_registry(tmp_path: Path) -> None:
    assert see_to_docker(tmp_path, '[ "$1" != image ]').returncode == 0


@pytest.mark.parametrize("missing", ["info", "compose", "buildx"])
def test_without_an_engine_it_fails_and_says_what_is_missing(tmp_path: Path, missing: str) -> None:
    ran = see_to_docker(tmp_path, f'[ "$1" != {missing} ]')
    assert ran.returncode == 1
    assert "no Docker engine with Compose and Buildx answers" in ran.stderr
    assert f"{tmp_path}/nothing" in ran.stderr


def test_the_last_step_is_the_one_on_containers() -> None:
    steps = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line.startswith("step ")]
    assert steps == ["step make check", "step make test", "step .ci/docker", "step make e2e"]
