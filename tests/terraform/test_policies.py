"""What is on AWS, and what roles may do there, on everything that the roots would make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.terraform.policies import policies
from tests.terraform.rules import RULES
from tests.terraform.scanners import EXCUSED, excuse, lint
from tests.terraform.state import State

pytestmark = pytest.mark.terraform


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rules_hold(state: State, rule: Callable[[State], Iterator[str]]) -> None:
    assert list(rule(state)) == []


def test_there_is_something_to_look_at(states: dict[str, State]) -> None:
    """Else the rules would hold of nothing."""
    counts = {root: sum(policy.of_role for policy in policies(state)) for root, state in states.items()}
    assert counts["registry"] == 0
    assert counts["environments/dev"] >= 7
    assert counts["environments/prod"] >= 7


def test_parliament_finds_nothing(state: State, tmp_path: Path) -> None:
    """Actions that there are not, resources that an action does not take, and patterns that went wrong elsewhere."""
    found = lint([policy for policy in policies(state) if policy.of_role], tmp_path)
    assert [one for one in found if excuse(one) is None] == []


def test_every_excuse_is_needed(states: dict[str, State], tmp_path: Path) -> None:
    found = lint([policy for policy in policies(states["environments/dev"]) if policy.of_role], tmp_path)
    assert {excuse(one) for one in found} == set(EXCUSED)
