"""Checkov and parliament, in the environment that `make scanners` makes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.terraform.policies import Policy
from tests.terraform.workspace import ROOT

_BIN = ROOT / ".venv-scanners/bin"

#: A part of a finding of parliament's -> why it is no fault.
EXCUSED = {
    'UNKNOWN_CONDITION_FOR_ACTION: "Unknown condition lambda:SourceFunctionArn for action ec2:': (
        "the condition is on any call with a function's credentials, and Lambda's guide denies these actions by it"
    ),
    'RESOURCE_MISMATCH: [{"action": "ec2:AssignPrivateIpAddresses", "required_format": "arn:*:ec2:*:*:network-int': (
        "when a function is made, Lambda asks whether its role has these rights on a resource of any type"
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of Checkov.

    Attributes:
        check: Its id, CKV_AWS_24.
        file: Relative to the folder that was scanned.
        resource: The address.
        reason: Why it is skipped; empty where it is not.
    """

    check: str
    file: str
    resource: str
    reason: str


@dataclass(frozen=True, slots=True)
class Scan:
    """What Checkov says of a folder.

    Attributes:
        passed: How many checks passed.
        failed: Those that did not.
        skipped: Those that comments in the source take out.
        unread: Files that it could not read.
    """

    passed: int
    failed: tuple[Finding, ...]
    skipped: tuple[Finding, ...]
    unread: tuple[str, ...]


def checkov(folder: Path) -> Scan:
    """Scan a folder; nothing is downloaded, and nothing is told to anybody."""
    ran = subprocess.run(
        [
            *(_BIN / "checkov", "--directory", folder, "--framework", "terraform", "--output", "json"),
            *("--compact", "--skip-download", "--download-external-modules", "false"),
        ],
        env={**os.environ, "LOG_LEVEL": "ERROR", "BC_SKIP_MAPPING": "TRUE"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.lstrip().startswith("{"), ran.stdout + ran.stderr
    results = json.loads(ran.stdout)["results"]
    return Scan(
        len(results["passed_checks"]),
        tuple(_finding(one) for one in results["failed_checks"]),
        tuple(_finding(one) for one in results["skipped_checks"]),
        tuple(results["parsing_errors"]),
    )


def _finding(result: dict[str, Any]) -> Finding:
    reason = result["check_result"].get("suppress_comment") or ""
    return Finding(result["check_id"], result["file_path"].lstrip("/"), result["resource"], reason.strip())


def lint(held: Sequence[Policy], folder: Path) -> list[str]:
    """What parliament says of policies of roles.

    Args:
        held: The policies.
        folder: An empty one, which gets a file for each.
    """
    for number, policy in enumerate(held):
        (folder / f"{number}.json").write_text(json.dumps(policy.document))
    if not held:
        return []
    ran = subprocess.run(
        [
            *(_BIN / "parliament", "--directory", folder, "--include_policy_extension", "json"),
            *("--json", "--minimum_severity", "LOW"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    found = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    assert bool(found) == bool(ran.returncode), ran.stdout + ran.stderr
    holders = [held[int(Path(one["location"]["filepath"]).stem)].holder.address for one in found]
    return [
        f"{holder}: {one['issue']}: {json.dumps(one['detail'])}" for holder, one in zip(holders, found, strict=True)
    ]


def excuse(finding: str) -> str | None:
    """The part of a finding of parliament's for which there is a reason; None where there is none."""
    return next((part for part in EXCUSED if part in finding), None)
