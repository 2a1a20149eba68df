"""The folders of Terraform: which environments there are, and which of them are in use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy.failed import Failed
from deploy.pins import FILE

TERRAFORM = Path(__file__).resolve().parents[1] / "terraform"


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment.

    Attributes:
        name: Of its folder: dev, prod.
        terraform: The folder that has registry/ and environments/.
    """

    name: str
    terraform: Path

    @classmethod
    def find(cls, name: str, terraform: Path = TERRAFORM) -> Environment:
        """The environment of that name.

        Raises:
            Failed: There is none.
        """
        known = sorted(folder.parent.name for folder in (terraform / "environments").glob("*/main.tf"))
        if name not in known:
            raise Failed(f"there is no environment {name!r} in terraform/environments: ENVIRONMENT={'|'.join(known)}")
        return cls(name, terraform)

    @property
    def folder(self) -> Path:
        """Its root module."""
        return self.terraform / "environments" / self.name

    @property
    def registry(self) -> Path:
        """The root module of the repositories, which all environments share."""
        return self.terraform / "registry"

    def others(self) -> list[str]:
        """Other environments for which images were pushed from this checkout."""
        found = (file.parent.name for file in (self.terraform / "environments").glob(f"*/{FILE}"))
        return sorted(name for name in found if name != self.name)
