"""A pytest plugin: tests that were written for Dask's own schedulers run on a Wukong cluster.

Loaded with `-p wukong_suite`. A client of the cluster that WUKONG_ADDRESS names is Dask's default scheduler from before
the tests are collected until they have run. Dask's `assert_eq` helpers, which ask for the synchronous scheduler by
default, ask for the client instead. A test that names a scheduler itself keeps it.

`--plan FILE` is JSON: {"fails": {test: reason}, "left_out": {test: reason}}. Those under `fails` are run and must fail.
`--outcome FILE` is where the counts go, as JSON.
"""

from __future__ import annotations

import collections
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array.utils
import dask.bag.utils
import pytest

import wukong

#: By what name a test's outcome is counted where the plan foresaw it.
_FORESEEN = "failed as planned"

#: By what name those that passed and ran jobs are counted.
_WITH_JOBS = "passed with jobs"


class CountingClient(wukong.Client):
    """A client that counts the jobs that it submitted, for values or to persist them, and the seconds of `get`."""

    def __init__(self) -> None:
        super().__init__()
        self._counting = threading.Lock()
        self.jobs = 0
        self.seconds = 0.0

    def get(self, dsk: Any, keys: Any, **options: Any) -> Any:
        """See `wukong.Client`."""
        start = time.perf_counter()
        values = super().get(dsk, keys, **options)
        with self._counting:
            self.seconds += time.perf_counter() - start
        return values

    def submit_graph(self, dsk: Any, keys: Any, **options: Any) -> wukong.Job:
        """See `wukong.Client`."""
        job = super().submit_graph(dsk, keys, **options)
        with self._counting:
            self.jobs += 1
        return job


class Suite:
    """One run: what is to be run, and how it went."""

    def __init__(self, plan: Path, outcome: Path) -> None:
        planned = json.loads(plan.read_text())
        self._fails: dict[str, str] = planned["fails"]
        self._left_out: dict[str, str] = planned["left_out"]
        self._outcome = outcome
        self._counts: collections.Counter[str] = collections.Counter()
        self._absent: list[str] = []
        self._client = CountingClient()
        self._client.__enter__()
        for helper in (dask.array.utils.assert_eq, dask.bag.utils.assert_eq):
            ask_for(self._client.get, helper)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Drop and mark what the plan names."""
        present = {name for item in items for name in names(item)}
        self._absent = sorted((self._fails.keys() | self._left_out.keys()) - present)
        left_out = [item for item in items if self._left_out.keys() & names(item)]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
        for item in items:
            for name in self._fails.keys() & names(item):
                # Strict: a test that passes has no place in the plan.
                item.add_marker(pytest.mark.xfail(reason=self._fails[name], strict=True))
                item.user_properties.append((_FORESEEN, name))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Any:
        """Notice tests that run something on the cluster."""
        before = self._client.jobs
        try:
            return (yield)
        finally:
            if self._client.jobs > before:
                item.user_properties.append((_WITH_JOBS, True))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what pytest says of a test."""
        if report.when != "call" and report.passed:
            return
        properties = {name for name, _ in report.user_properties}
        outcome: str = "failed as Dask expects" if hasattr(report, "wasxfail") and report.skipped else report.outcome
        if _FORESEEN in properties and not report.failed:
            outcome = _FORESEEN
        self._counts[outcome] += 1
        self._counts[_WITH_JOBS] += report.passed and _WITH_JOBS in properties

    def pytest_sessionfinish(self) -> None:
        """Write what was counted."""
        outcome = {
            **self._counts,
            "jobs": self._client.jobs,
            "seconds": round(self._client.seconds, 1),
            "absent": self._absent,
        }
        self._outcome.write_text(json.dumps(outcome))

    def pytest_unconfigure(self) -> None:
        """Let go of the cluster."""
        self._client.__exit__(None, None, None)


def ask_for(scheduler: Callable[..., Any], helper: Any) -> None:
    """Change which scheduler a function asks for by default, wherever it was imported already."""
    defaults: tuple[object, ...] = helper.__defaults__
    if defaults.count("sync") != 1:
        raise LookupError(f"{helper.__module__}.{helper.__name__} no longer has scheduler='sync': {defaults}")
    helper.__defaults__ = tuple(scheduler if default == "sync" else default for default in defaults)


def names(item: pytest.Item) -> set[str]:
    """How a plan may name a test: with its parameters, or without, which means every case."""
    return {item.name, getattr(item, "originalname", item.name)}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare this plugin's options."""
    parser.addoption("--plan", type=Path, required=True)
    parser.addoption("--outcome", type=Path, required=True)


def pytest_configure(config: pytest.Config) -> None:
    """Start before tests are collected: their modules compute already when they are imported."""
    config.pluginmanager.register(Suite(config.getoption("plan"), config.getoption("outcome")))
