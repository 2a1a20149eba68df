"""Terraform in one root module."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from deploy.failed import Failed
from deploy.programs import ask, run


class Terraform:
    """One root module.

    Args:
        folder: Of the module.
        approved: Whether changes are made without asking.
    """

    def __init__(self, folder: Path, *, approved: bool) -> None:
        self._words = ["terraform", f"-chdir={folder}"]
        # Without approval it has to ask, which -input=false would forbid.
        self._approval = ["-input=false", "-auto-approve"] if approved else []
        self._folder = folder

    def apply(self) -> None:
        """Make what the module says; Terraform shows what that is, and asks unless it is approved."""
        self._change("apply")

    def destroy(self) -> None:
        """Remove all that the module made."""
        self._change("destroy")

    def init(self) -> None:
        """Get providers and modules; takes no time where they are there."""
        run([*self._words, "init", "-input=false"])

    def outputs(self) -> dict[str, Any]:
        """The values of the module's outputs; nothing where it was not applied."""
        return {name: one["value"] for name, one in json.loads(ask([*self._words, "output", "-json"])).items()}

    def is_empty(self) -> bool:
        """Whether there is nothing of it."""
        shown = json.loads(ask([*self._words, "show", "-json"]))
        return not shown.get("values", {}).get("root_module")

    def _change(self, verb: str) -> None:
        if not self._approval and not sys.stdin.isatty():
            raise Failed(
                f"`terraform {verb}` in {self._folder.name} asks before it changes anything, and nobody is there to "
                "answer: YES=1 approves of it"
            )
        run([*self._words, verb, *self._approval])
