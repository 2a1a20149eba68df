"""Why something was not done."""

from __future__ import annotations


class Failed(Exception):
    """What the user is told, in one line, before the command ends with 1."""
