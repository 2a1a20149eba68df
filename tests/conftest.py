"""Order of the tests: those that need the machine for themselves come last."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move what is marked `alone` to the end."""
    items.sort(key=lambda item: item.get_closest_marker("alone") is not None)
