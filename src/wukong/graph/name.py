"""What a task is called where people read it."""

from __future__ import annotations

#: The longest name, in characters.
LONGEST = 200


def name(key: object) -> str:
    """A task's Dask key as printable text: as `str` has it, cut where it is very long."""
    text = str(key)
    if not text.isprintable():
        text = repr(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
