"""docs/troubleshooting.md quotes messages that the source produces."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUOTED = re.findall(r"^```text\n(.*?)\n```$", (ROOT / "docs/troubleshooting.md").read_text(), re.MULTILINE | re.DOTALL)
#: Stands for a value, on the page and below.
VALUE = "…"


def texts(tree: ast.AST) -> Iterator[str]:
    """Every string of a module, with values left open where it is formatted."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)):
                yield text
            case ast.JoinedStr(values=parts):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else VALUE for part in parts)


@cache
def messages() -> list[str]:
    folders = [ROOT / "src/wukong", ROOT / "services", ROOT / "functions", ROOT / "deploy"]
    sources = [path for folder in folders for path in folder.rglob("*.py")]
    return [text for path in sources for text in texts(ast.parse(path.read_text()))]


def produced(quoted: str) -> bool:
    pattern = re.compile(".*".join(re.escape(part) for part in quoted.split(VALUE)), re.DOTALL)
    return any(pattern.search(text) for text in messages())


@pytest.mark.parametrize("quoted", QUOTED)
def test_the_message_is_in_the_source(quoted: str) -> None:
    assert len(quoted.replace(VALUE, "").strip()) > 15  # else it would be found anywhere
    assert produced(quoted)


def test_a_message_that_nobody_produces_is_found_out() -> None:
    assert produced("no job … is known; it was never submitted")
    assert not produced("no job … is known; it was never admitted")


def test_messages_are_quoted_once() -> None:
    assert len(QUOTED) > 25
    assert len(set(QUOTED)) == len(QUOTED)
