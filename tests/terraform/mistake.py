"""A mistake that somebody might make in terraform/, and what ought to catch it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tests.terraform.workspace import Workspace


class Check(enum.StrEnum):
    """What catches mistakes, from the cheapest to the dearest."""

    VALIDATE = "terraform validate"
    TEST = "terraform test"
    POLICIES = "the policies' assertions"
    PARLIAMENT = "parliament"
    CHECKOV = "checkov"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One.

    Attributes:
        name: What it is, in a few words.
        check: What ought to catch it.
        file: Where it is made, relative to terraform/.
        old: A text that is there once.
        new: What is written instead.
        says: A text in what the check complains.
        root: The root module in which it is looked for.
    """

    name: str
    check: Check
    file: str
    old: str
    new: str
    says: str
    root: str = "environments/dev"

    def make(self, workspace: Workspace) -> None:
        """Make it in a copy."""
        workspace.change(self.file, self.old, self.new)
