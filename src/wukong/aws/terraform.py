"""The outputs of a Terraform root that was applied."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from wukong.errors import ClusterUnavailable

#: The programs that read a root, the first that is there.
PROGRAMS = ("terraform", "tofu")

#: Seconds that one may take. State may be far away.
_PATIENCE = 120.0


def outputs(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The values of a root's outputs, by name.

    Args:
        folder: The root's, such as terraform/environments/dev.

    Raises:
        ValueError: There is no such folder, or it is none of Terraform's.
        ClusterUnavailable: There is no program that reads it, it was not applied, or its state cannot be read.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ValueError(
            f"{str(folder)!r} is no folder; give that of a Terraform root, such as terraform/environments/dev"
        )
    if not any(path.glob("*.tf")):
        raise ValueError(f"{str(folder)!r} is no Terraform root: it has no file *.tf")
    program = next((place for name in PROGRAMS if (place := shutil.which(name))), None)
    if program is None:
        raise ClusterUnavailable(
            f"neither {' nor '.join(PROGRAMS)} is on the PATH, and the state of {str(folder)!r} is read with it. "
            "Install one of them; or give address, token and CA of the deployment yourself"
        )
    try:
        done = subprocess.run(
            [program, f"-chdir={path}", "output", "-json", "-no-color"],
            env={**os.environ, "TF_IN_AUTOMATION": "1"},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClusterUnavailable(f"{program} cannot read the state of {str(folder)!r}: {error}") from error
    if done.returncode:
        said = " ".join(done.stderr.replace("│", " ").split())
        raise ClusterUnavailable(
            f"{program} cannot read the state of {str(folder)!r}: {said[:500] or f'it ended with {done.returncode}'}. "
            f"`{Path(program).name} -chdir={path} init` prepares a fresh clone"
        )
    try:
        found = {name: output["value"] for name, output in json.loads(done.stdout).items()}
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise ClusterUnavailable(f"{program} answered something else than outputs: {done.stdout[:200]!r}") from error
    if not found:
        raise ClusterUnavailable(
            f"nothing was applied in {str(folder)!r}, or it was destroyed: its state has no outputs. "
            f"`{Path(program).name} -chdir={path} apply` makes the deployment"
        )
    return found
