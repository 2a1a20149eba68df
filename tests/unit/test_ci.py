"""CI does not pass where the tests on real containers, or those of Terraform, cannot run."""

from __future__ import annotations

import os
import shutil
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


def see_to_terraform(folder: Path, terraform: str | None, offline: str | None) -> subprocess.CompletedProcess[str]:
    """Run .ci/terraform where `terraform` and the program that stands in for its registry are shell scripts."""
    programs = folder / "programs"
    programs.mkdir()
    for name in ("bash", "dirname", "find", "sort", "grep", "sed", "mkdir"):
        (programs / name).symlink_to(shutil.which(name) or name)
    for name, text in (("terraform", terraform), ("offline", offline)):
        if text is not None:
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
    environ = {"PATH": str(programs), "TERRAFORM_OFFLINE": str(programs / "offline")}
    command = [ROOT / ".ci/terraform"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_every_root_is_formatted_checked_and_tested(tmp_path: Path) -> None:
    ran = see_to_terraform(tmp_path, 'echo "terraform $@"; echo "Terraform v1.11.4"', 'echo "offline $@"')
    assert ran.returncode == 0, ran.stderr
    said = ran.stdout.splitlines()
    assert "terraform fmt -check -recursive -diff terraform" in said
    (offline,) = [line for line in said if line.startswith("offline ")]
    roots = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("terraform/environments/*/main.tf")}
    assert {"terraform/registry", *roots} <= set(offline.split())


def test_without_the_stand_in_the_registry_is_asked(tmp_path: Path) -> None:
    ran = see_to_terraform(tmp_path, 'echo "terraform $@"; echo "Terraform v1.11.4"', None)
    assert ran.returncode == 0, ran.stderr
    assert "terraform -chdir=terraform/registry init -backend=false -input=false" in ran.stdout
    assert "terraform -chdir=terraform/registry validate" in ran.stdout
    assert "terraform -chdir=terraform/registry test" in ran.stdout


def test_without_terraform_it_fails_and_says_so(tmp_path: Path) -> None:
    ran = see_to_terraform(tmp_path, None, "exit 0")
    assert ran.returncode == 1
    assert "there is no Terraform here" in ran.stderr


def test_an_old_terraform_is_refused(tmp_path: Path) -> None:
    ran = see_to_terraform(tmp_path, 'echo "Terraform v1.5.7"', "exit 0")
    assert ran.returncode == 1
    assert "Terraform is 1.5.7 here" in ran.stderr


def test_what_terraform_finds_is_a_failure(tmp_path: Path) -> None:
    ran = see_to_terraform(tmp_path, 'echo "Terraform v1.11.4"; [ "$1" != fmt ]', "exit 0")
    assert ran.returncode != 0


def test_the_last_step_is_the_one_on_containers() -> None:
    steps = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line.startswith("step ")]
    made = ["step make check", "step make test", "step make terraform"]
    assert steps == [*made, "step .ci/docker", "step make e2e"]
