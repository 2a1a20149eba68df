"""Each mistake is caught by what ought to catch it. That nothing is found in what nobody broke, other tests show."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.terraform.mistakes import MISTAKES, Check, Mistake
from tests.terraform.policies import policies
from tests.terraform.rules import RULES
from tests.terraform.scanners import checkov, lint
from tests.terraform.workspace import Workspace

pytestmark = [pytest.mark.terraform, pytest.mark.timeout(300)]


def complaint(mistake: Mistake, folder: Path) -> str:
    """What the check says of a copy in which the mistake is made."""
    workspace = Workspace(folder / "terraform")
    workspace.change(f"{mistake.module}/main.tf", mistake.old, mistake.new)
    match mistake.check:
        case Check.VALIDATE:
            return workspace.validate(mistake.root)
        case Check.TEST:
            return workspace.test(mistake.root, {mistake.run})
        case Check.RULES:
            state = workspace.render(mistake.root)
            return "\n".join(found for rule in RULES for found in rule(state))
        case Check.PARLIAMENT:
            held = [policy for policy in policies(workspace.render(mistake.root)) if policy.of_role]
            (folder / "policies").mkdir()
            return "\n".join(lint(held, folder / "policies"))
        case Check.CHECKOV:
            return ""  # `scanned`


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the checks say of each mistake, by its name. Side by side, since most of it is waiting for programs."""
    folder = tmp_path_factory.mktemp("mistakes")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        each = {
            mistake.name: pool.submit(complaint, mistake, folder / str(number))
            for number, mistake in enumerate(MISTAKES)
            if mistake.check is not Check.CHECKOV
        }
        found = {name: said.result() for name, said in each.items()}
    return found | scanned([mistake for mistake in MISTAKES if mistake.check is Check.CHECKOV], folder / "checkov")


def scanned(mistakes: list[Mistake], folder: Path) -> dict[str, str]:
    """What Checkov says: one run for all, on the modules in which they are made."""
    folder.mkdir()
    for number, mistake in enumerate(mistakes):
        workspace = Workspace(folder / "whole")
        workspace.change(f"{mistake.module}/main.tf", mistake.old, mistake.new)
        (workspace.folder / mistake.module).rename(folder / str(number))
        shutil.rmtree(workspace.folder)
    failed = checkov(folder).failed
    return {
        mistake.name: "\n".join(one.check for one in failed if one.file.startswith(f"{number}/"))
        for number, mistake in enumerate(mistakes)
    }


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: f"{mistake.name}: {mistake.check}")
def test_it_is_caught(complaints: dict[str, str], mistake: Mistake) -> None:
    assert mistake.says in " ".join(complaints[mistake.name].replace("│", " ").split())


@pytest.mark.parametrize("root", ["environments/dev", "environments/prod"])
def test_what_nobody_broke_passes(tmp_path: Path, root: str) -> None:
    """By the same ways; that rules and scanners find nothing is in tests of their own."""
    runs = {mistake.run for mistake in MISTAKES if mistake.check is Check.TEST and mistake.root == root}
    workspace = Workspace(tmp_path)
    assert workspace.validate(root) == ""
    assert workspace.test(root, runs) == ""


def test_every_check_catches_something() -> None:
    assert {mistake.check for mistake in MISTAKES} == set(Check)
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES) >= 10
