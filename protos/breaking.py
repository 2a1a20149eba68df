"""Checks that the protos break no client of an earlier version: `buf breaking`, with an earlier commit to compare with.

That commit is the newest tag. Before the first one it is where this branch left main, or main's previous commit where
this is main. A repository without history (the first commit, a shallow clone, no repository at all) has nothing to
compare with; that is said, and passes.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUF = Path(sys.executable).with_name("buf")

#: What of an earlier commit buf reads.
_READ = ("buf.yaml", "protos")


def earlier(root: Path) -> str | None:
    """The commit to compare with; None where there is none."""
    tag = _git(root, "describe", "--tags", "--abbrev=0")
    if tag:
        return tag
    head = _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    for main in ("origin/main", "main"):
        base = _git(root, "merge-base", main, "HEAD")
        if base and base != head:
            return base
    return _git(root, "rev-parse", "--verify", "--quiet", "HEAD^")


def compare(root: Path, commit: str) -> int:
    """The exit code of buf, which prints what breaks."""
    with tempfile.TemporaryDirectory() as before:
        # Not buf's own way of reading Git, which fetches: that fails in a shallow clone, and in a second work tree.
        archive = subprocess.run(["git", "archive", commit, *_READ], cwd=root, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=BytesIO(archive)) as tar:
            tar.extractall(before, filter="data")
        return subprocess.run([BUF, "breaking", "--against", before], cwd=root, check=False).returncode


def _git(root: Path, *arguments: str) -> str | None:
    """What Git prints; None where it fails."""
    ran = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    return ran.stdout.strip() if ran.returncode == 0 else None


def main(root: Path = ROOT) -> int:
    """The command. Answers the exit code."""
    commit = earlier(root)
    if commit is None:
        print("protos: no earlier commit to compare with", file=sys.stderr)
        return 0
    code = compare(root, commit)
    if code:
        print(f'The protos break clients of {commit}: see "Protos" in CONTRIBUTING.md.', file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
