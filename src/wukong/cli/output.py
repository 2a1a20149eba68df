"""What the command prints: JSON or tables to standard output, single lines about errors to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence


def say(text: str) -> None:
    """One or more lines for the user, at once even into a pipe."""
    print(text, flush=True)


def say_json(value: object, *, line: bool = False) -> None:
    """A value as JSON: indented, or on a line of its own in a stream of values."""
    say(json.dumps(value, ensure_ascii=False, indent=None if line else 2))


def complain(text: str) -> None:
    """One line on standard error."""
    print(f"wukong: {one_line(text)}", file=sys.stderr, flush=True)


def one_line(text: str) -> str:
    """The first paragraph of a message, on one line."""
    return " ".join(text.strip().partition("\n\n")[0].split())


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as their longest cell."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )
