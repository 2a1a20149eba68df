"""Copies of terraform/ that may be broken, and Terraform in them, with no account and no credentials."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

from tests.terraform.state import State

ROOT = Path(__file__).parents[2]
#: The stand-in for the AWS provider, as .ci/terraform leaves it; without one the provider comes from the registry.
MIRROR = Path(os.environ.get("TF_OFFLINE", ROOT / "build/terraform-offline")) / "mirror"
#: What is applied, relative to terraform/.
ROOTS = ("registry", "environments/dev", "environments/prod")

_MOCKED = re.compile(r'\n  mock_resource "\w+" \{\n.*?\n  \}\n', re.DOTALL)
_RUN = '\nrun "rendered" {\n  command = apply\n}\n'


class Workspace:
    """A copy of terraform/, as git has it.

    Args:
        folder: An empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "terraform"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).exists():
                target = folder / Path(name).relative_to("terraform")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, target)

    def change(self, file: str, old: str, new: str) -> None:
        """Replace a text that is in a file, once; how `terraform fmt` has set its columns does not matter."""
        path = self.folder / file
        pattern = re.sub(r"(?:\\ )+", " +", re.escape(old))
        text, count = re.subn(pattern, lambda _: new, path.read_text())
        assert count == 1, f"{file} has {count} times: {old}"
        path.write_text(text)

    def terraform(self, root: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run Terraform in a root module."""
        environ = {
            **os.environ,
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_CONFIG_FILE": os.devnull,
            "TF_DISABLE_PLUGIN_TLS": "1",
            "TF_IN_AUTOMATION": "1",
        }
        return subprocess.run(
            ["terraform", f"-chdir={self.folder / root}", *words],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def init(self, root: str) -> str:
        """Get a root's modules and provider; what Terraform complains, or nothing."""
        offline = [f"-plugin-dir={MIRROR}"] if MIRROR.is_dir() else []
        return _complaint(self.terraform(root, "init", "-backend=false", "-input=false", "-no-color", *offline))

    def validate(self, root: str) -> str:
        """What `terraform validate` complains, or nothing."""
        return self.init(root) or _complaint(self.terraform(root, "validate", "-no-color"))

    def test(self, root: str, runs: Collection[str]) -> str:
        """What some runs of a root's `terraform test` complain, or nothing."""
        (given,) = (self.folder / root).glob("*.tftest.hcl")
        head, *blocks = re.split(r"^(?=run \")", given.read_text(), flags=re.MULTILINE)
        kept = [block for block in blocks if block.split('"')[1] in runs]
        assert len(kept) == len(runs), f"{given.name} has not all of {', '.join(runs)}"
        given.write_text(head + "".join(kept))
        return self.init(root) or _complaint(self.terraform(root, "test", "-no-color"))

    def render(self, root: str) -> State:
        """What would be on AWS, with everything that only AWS knows made up."""
        assert self.init(root) == ""
        (given,) = (self.folder / root).glob("*.tftest.hcl")
        # With the variables of the root's own tests. There all of a type have one ARN; here each has its own.
        head = _MOCKED.sub("", given.read_text().partition("\nrun ")[0])
        rendered = given.with_name("rendered.tftest.hcl")
        rendered.write_text(head + _RUN)
        ran = self.terraform(root, "test", "-json", "-verbose", f"-filter={rendered.name}")
        rendered.unlink()
        return State.of_test(ran.stdout)


def _complaint(ran: subprocess.CompletedProcess[str]) -> str:
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr
