"""docs/aws.md cannot be run without an account; what can be checked without one is checked here."""

from __future__ import annotations

import ast
import operator
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/aws.md").read_text()
COSTS = [ROOT / "docs/aws.md", ROOT / "terraform/environments/dev/README.md"]

OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](value(left), value(right))
    raise ValueError(ast.dump(node))


def rows(page: Path) -> list[tuple[str, str, str]]:
    """Rows of three cells, the last of which is a number."""
    found = re.findall(r"^\s*\| (.+?) \| ([\d.,×+/() ]+) \| ([\d.]+) \|$", page.read_text(), re.MULTILINE)
    return [(what, sum_, result) for what, sum_, result in found]


@pytest.mark.parametrize("page", COSTS, ids=lambda page: page.parent.name)
def test_the_arithmetic_is_right(page: Path) -> None:
    found = rows(page)
    assert len(found) >= 5
    for what, sum_, result in found:
        counted = value(ast.parse(sum_.replace("×", "*").strip(), mode="eval").body)
        assert counted == pytest.approx(float(result), abs=0.51 * 10 ** -len(result.partition(".")[2])), what


def test_arithmetic_that_is_wrong_is_found_out() -> None:
    assert value(ast.parse("0.25 * 0.04048 + 1 * 0.004445", mode="eval").body) == pytest.approx(0.014565)


def test_make_knows_every_command() -> None:
    commands = re.findall(r"^ *(make [a-z]+ .*)$", PAGE, re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        ran = subprocess.run([*command.split(), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert "python -m deploy" in ran.stdout


def test_an_environment_has_to_be_named() -> None:
    ran = subprocess.run(["make", "deploy", "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert "say which environment: ENVIRONMENT=dev" in ran.stderr


def test_every_step_of_the_published_set_up_is_told() -> None:
    _, _, table = PAGE.partition("## The published set-up")
    for what in (
        "VPC",
        "security group",
        "inbound and outbound rules",
        "elastic IP",
        "internet gateway",
        "subnets",
        "route tables",
        "NAT gateway",
        "IAM role",
        "memory",
        "timeout",
        "Fargate cluster",
        "executor and the invoker function",
    ):
        assert what.casefold() in table.casefold(), what
