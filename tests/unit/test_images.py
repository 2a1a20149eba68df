"""What images are built from: locks that install from any mirror, and Dockerfiles of one shape."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in ROOT.glob("[sf]*/*/pyproject.toml"))
LOCKS = sorted(path for path in (ROOT / "requirements").glob("*.txt"))

every_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
every_lock = pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)


def dockerfile(folder: Path) -> str:
    return (folder / "Dockerfile").read_text()


def pins(lock: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==(\S+)", lock.read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def test_each_deployable_has_a_lock_and_there_is_no_other() -> None:
    others = {"build", "dev", "peers", "scanners", "setup"}
    assert {lock.stem for lock in LOCKS} == {folder.name for folder in FOLDERS} | others
    assert len(FOLDERS) == 6


@every_lock
def test_locks_have_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-i|-f|--index|--extra-index|--find-links|--trusted)", text, re.MULTILINE)
    for requirement in re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in requirement, requirement


@every_folder
def test_images_install_what_was_tested(folder: Path) -> None:
    tested = pins(ROOT / "requirements/dev.txt")
    installed = pins(ROOT / "requirements" / f"{folder.name}.txt")
    assert {name for name, versions in installed.items() if not versions <= tested.get(name, set())} == set()
    assert not [name for name in installed if name.startswith("wukong")]


def test_the_invoker_brings_no_numbers_and_services_bring_no_graphs() -> None:
    locks = {folder.name: pins(ROOT / "requirements" / f"{folder.name}.txt").keys() for folder in FOLDERS}
    assert not locks["invoker"] & {"numpy", "dask", "cloudpickle", "grpcio"}
    assert [name for name, lock in locks.items() if "dask" in lock] == ["executor"]
    assert locks["executor"] >= {"dask", "numpy", "scipy", "pandas"}


@every_folder
def test_dockerfiles_have_one_shape(folder: Path) -> None:
    text = dockerfile(folder)
    where = folder.relative_to(ROOT).as_posix()
    assert text.startswith("ARG BASE_IMAGE=python:3.11-slim-bookworm\n")
    assert re.findall(r"^FROM (.+)$", text, re.MULTILINE) == ["${BASE_IMAGE} AS build", "${BASE_IMAGE}"]
    assert f"docker/dependencies {folder.name}\n" in text
    assert f"docker/member {where}\n" in text
    assert "\nUSER wukong\n" in text
    assert f'org.opencontainers.image.title="wukong-{folder.name}"' in text
    assert "\nHEALTHCHECK " in text
    for command in re.findall(r"^\s*(?:ENTRYPOINT|CMD|HEALTHCHECK.* CMD) (.+)$", text, re.MULTILINE):
        assert json.loads(command), "exec form"


@every_folder
def test_images_share_their_first_layers(folder: Path) -> None:
    """What is written alike is built once."""
    shared = [stage.split("COPY", 1)[0] for stage in dockerfile(folder).split("FROM ")[1:]]
    first = [stage.split("COPY", 1)[0] for stage in dockerfile(FOLDERS[-1]).split("FROM ")[1:]]
    own = "# As the first|# The server of"  # what follows is some images' alone
    assert [re.split(own, stage)[0] for stage in shared] == [re.split(own, stage)[0] for stage in first]


@pytest.mark.parametrize("name", ["executor", "invoker"])
def test_functions_run_the_runtime_client_of_lambda(name: str) -> None:
    text = dockerfile(ROOT / "functions" / name)
    assert 'ENTRYPOINT ["/usr/bin/tini", "-g", "--", "python", "-m", "awslambdaric"]' in text
    assert f'CMD ["wukong_{name}.handler.handler"]' in text


def test_bake_builds_every_image() -> None:
    text = (ROOT / "docker-bake.hcl").read_text()
    named = {name for names in re.findall(r"matrix\s*=\s*{ name = (\[.+\]) }", text) for name in json.loads(names)}
    assert named == {folder.name for folder in FOLDERS}


def test_the_context_is_an_allow_list() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert {line for line in lines[1:] if not line.startswith("!")} == {"**/__pycache__", "**/*.egg-info"}
