"""Order of the tests, and how Hypothesis draws.

Tests that need the machine for themselves come last.

What Hypothesis draws is the same in every run, so that a change is judged by itself, and a failure is found again by
running the test again. `--hypothesis-profile=explore` draws something new each time, twenty times as much where a test
is stateful, and says with which seed: `--hypothesis-seed=n` repeats it. Nothing is kept between runs.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

settings.register_profile("fixed", derandomize=True, deadline=None, database=None, print_blob=True)
settings.register_profile("explore", settings.get_profile("fixed"), derandomize=False)
settings.load_profile("fixed")

_home = TemporaryDirectory(prefix="wukong-hypothesis-")
set_hypothesis_home_dir(Path(_home.name))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move what is marked `alone` to the end."""
    items.sort(key=lambda item: item.get_closest_marker("alone") is not None)


def pytest_unconfigure() -> None:
    """Remove what Hypothesis kept of this run."""
    _home.cleanup()
