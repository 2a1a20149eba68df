"""Changes of the protos that break clients are found, against the right commit; additions are not."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
JOB = Path("protos/wukong/rpc/v1/job.proto")
SCHEDULER = Path("protos/wukong/rpc/v1/scheduler.proto")

Git = Callable[..., str]


@pytest.fixture
def breaking() -> ModuleType:
    spec = importlib.util.spec_from_file_location("breaking", ROOT / "protos/breaking.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def git_in(folder: Path) -> Git:
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }

    def git(*arguments: str) -> str:
        environ = {**os.environ, **identity}
        return subprocess.run(
            ["git", *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=True
        ).stdout.strip()

    return git


def with_protos(folder: Path) -> Path:
    folder.mkdir()
    shutil.copy(ROOT / "buf.yaml", folder)
    shutil.copytree(ROOT / "protos", folder / "protos", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with these protos and one commit."""
    folder = with_protos(tmp_path / "project")
    git = git_in(folder)
    git("init", "--quiet", "--initial-branch=main")
    git("add", ".")
    git("commit", "--quiet", "--message=first")
    return folder


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def land(project: Path, message: str) -> str:
    git = git_in(project)
    git("commit", "--quiet", "--all", "--allow-empty", f"--message={message}")
    return git("rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (JOB, "  uint64 tasks_total = 3;", "", '"3" with name "tasks_total" on message "Job" was deleted'),
        (JOB, "  uint64 tasks_total = 3;", "  uint64 tasks_total = 33;", '"tasks_total" on message "Job" was deleted'),
        (JOB, "  uint64 tasks_total = 3;", "  uint64 all_tasks = 3;", 'from "tasks_total" to "all_tasks"'),
        (JOB, "  uint64 tasks_total = 3;", "  string tasks_total = 3;", 'from "uint64" to "string"'),
        (JOB, "JOB_STATE_GONE = 6", "JOB_STATE_FORGOTTEN = 6", 'from "JOB_STATE_GONE" to "JOB_STATE_FORGOTTEN"'),
        (SCHEDULER, "rpc ListJobs(ListJobsRequest) returns (ListJobsResponse);", "", 'RPC "ListJobs"'),
        (SCHEDULER, "returns (stream JobEvent)", "returns (JobEvent)", "from server streaming to server unary"),
    ],
)
def test_what_breaks_clients_fails(
    breaking: ModuleType, project: Path, capfd: pytest.CaptureFixture[str], file: Path, old: str, new: str, says: str
) -> None:
    first = land(project, "before")
    edit(project / file, old, new)
    land(project, "after")
    assert breaking.main(project) != 0
    out, err = capfd.readouterr()
    assert says in out
    assert file.as_posix() in out
    assert first in err


def test_additions_pass(breaking: ModuleType, project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    edit(project / JOB, "  uint64 tasks_total = 3;", "  uint64 tasks_total = 3;\n  uint64 another = 100;")
    rpc = "rpc ListJobs(ListJobsRequest) returns (ListJobsResponse);"
    edit(project / SCHEDULER, rpc, f"{rpc}\n  rpc More(ListJobsRequest) returns (ListJobsResponse);")
    land(project, "after")
    assert breaking.main(project) == 0
    assert capfd.readouterr() == ("", "")


def test_a_break_that_is_meant_passes_where_it_is_said(breaking: ModuleType, project: Path) -> None:
    edit(project / JOB, "  uint64 tasks_total = 3;", '  reserved 3;\n  reserved "tasks_total";')
    land(project, "after")
    assert breaking.main(project) != 0
    with (project / "buf.yaml").open("a") as config:
        config.write(f"  ignore_only:\n    FIELD_NO_DELETE: [{JOB}]\n")
    assert breaking.main(project) == 0


def test_which_commit_is_compared_with(breaking: ModuleType, project: Path, tmp_path: Path) -> None:
    git = git_in(project)
    assert breaking.earlier(project) is None
    first, second = git("rev-parse", "HEAD"), land(project, "second")
    assert breaking.earlier(project) == first
    git("switch", "--quiet", "--create", "branch")
    land(project, "third")
    land(project, "fourth")
    assert breaking.earlier(project) == second
    git("tag", "v0.1.0", first)
    git("tag", "--annotate", "--message=x", "v0.2.0", second)
    assert breaking.earlier(project) == "v0.2.0"
    git("switch", "--quiet", "main")
    git("tag", "--delete", "v0.1.0", "v0.2.0")

    clone = tmp_path / "clone"
    git("clone", "--quiet", project.as_uri(), str(clone))
    assert breaking.earlier(clone) == first
    land(clone, "not landed")
    land(clone, "not landed either")
    assert breaking.earlier(clone) == second


def test_without_history_there_is_nothing_to_compare_with(
    breaking: ModuleType, project: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    land(project, "second")
    shallow = tmp_path / "shallow"
    git_in(project)("clone", "--quiet", "--depth=1", project.as_uri(), str(shallow))
    for folder in (shallow, with_protos(tmp_path / "exported")):
        edit(folder / JOB, "  uint64 tasks_total = 3;", "")
        assert breaking.main(folder) == 0
        assert capfd.readouterr() == ("", "protos: no earlier commit to compare with\n")


def test_a_second_work_tree_is_compared_too(breaking: ModuleType, project: Path, tmp_path: Path) -> None:
    land(project, "second")
    tree = tmp_path / "tree"
    git_in(project)("worktree", "add", "--quiet", "--detach", str(tree))
    edit(tree / JOB, "  uint64 tasks_total = 3;", "")
    assert breaking.main(tree) != 0


def test_the_check_is_a_part_of_make_check() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\ncheck:")[2].partition("\n\n")[0]
    assert "protos/breaking.py" in recipe
