"""The file that tells an environment which images it runs, by digest. Pure but for reading and writing it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.failed import Failed

#: In the environment's folder, where Terraform reads it by itself; not in git, since digests are of one account.
FILE = "images.auto.tfvars.json"


@dataclass(frozen=True, slots=True)
class Pins:
    """What is in the file; the names are those of the environment's variables.

    Attributes:
        architecture: x86_64 or arm64: what the images were built for.
        images: URL@sha256:... of each image, by its name.
        executor_runtime: The manifest of the executors' image, as JSON, for the scheduler.
    """

    architecture: str
    images: Mapping[str, str]
    executor_runtime: str

    def write(self, environment: Path) -> Path:
        """Write it into an environment's folder, at once or not at all. Returns the file."""
        file = environment / FILE
        fresh = file.with_name(f".{FILE}.new")
        fresh.write_text(json.dumps(asdict(self), indent=2, sort_keys=True) + "\n")
        return fresh.replace(file)

    @classmethod
    def read(cls, environment: Path) -> Pins | None:
        """What an environment's folder has; None where nothing was pushed for it.

        Raises:
            Failed: The file is damaged.
        """
        file = environment / FILE
        if not file.exists():
            return None
        try:
            return cls(**json.loads(file.read_text()))
        except (ValueError, TypeError) as error:
            raise Failed(f"{file} cannot be read ({error}): remove it, and `make push` writes it anew") from None
