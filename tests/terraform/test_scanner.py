"""Checkov over terraform/: what it finds is mended, or justified where it stands."""

from __future__ import annotations

import re

import pytest
from tests.terraform.scanners import Scan, checkov
from tests.terraform.workspace import Workspace

pytestmark = pytest.mark.terraform

SKIP = re.compile(r"checkov:skip=(CKV\w+)(?::(.*))?")


@pytest.fixture(scope="module")
def scan(workspace: Workspace) -> Scan:
    return checkov(workspace.folder)


def test_it_reads_everything_and_finds_nothing(scan: Scan) -> None:
    assert scan.unread == ()
    assert scan.passed > 150
    assert [f"{one.check} {one.resource} ({one.file})" for one in scan.failed] == []


def test_every_exception_has_its_reason_where_it_stands(workspace: Workspace) -> None:
    comments = [
        (path.relative_to(workspace.folder).as_posix(), found)
        for path in sorted(workspace.folder.rglob("*.tf"))
        for found in SKIP.findall(path.read_text())
    ]
    assert [where for where, (_, reason) in comments if len(reason.split()) < 4] == []


def test_every_exception_is_needed(workspace: Workspace, scan: Scan) -> None:
    """A comment that Checkov does not read, or whose check would pass, only misleads."""
    used = {(one.file, one.check) for one in scan.skipped}
    written = {
        (path.relative_to(workspace.folder).as_posix(), check)
        for path in workspace.folder.rglob("*.tf")
        for check, _ in SKIP.findall(path.read_text())
    }
    assert written == used


def test_nothing_is_skipped_elsewhere(workspace: Workspace) -> None:
    names = {".checkov.yaml", ".checkov.yml", ".checkov.baseline"}
    assert [path for path in workspace.folder.rglob("*") if path.name in names] == []
