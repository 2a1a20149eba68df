"""What the tests of terraform/ share: each root is rendered once."""

from __future__ import annotations

import pytest
from tests.terraform.state import State
from tests.terraform.workspace import ROOTS, Workspace


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy that nobody breaks."""
    return Workspace(tmp_path_factory.mktemp("terraform"))


@pytest.fixture(scope="session")
def states(workspace: Workspace) -> dict[str, State]:
    """What each root would make."""
    return {root: workspace.render(root) for root in ROOTS}


@pytest.fixture(params=ROOTS)
def state(request: pytest.FixtureRequest, states: dict[str, State]) -> State:
    """What one root would make."""
    return states[request.param]
