"""The warning about graphs that hold much data."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np
import pytest

from wukong.client import upload_size
from wukong.client.upload_size import check_size
from wukong.errors import LargeUploadWarning
from wukong.graph.convert import convert

ONE, OTHER = np.ones(1_000_000), np.ones(2_000_000)
GRAPH = {"one": ONE, "sum": (np.sum, "one"), ("t", 3): (np.sum, OTHER), "all": (operator.add, "sum", ("t", 3))}


@pytest.fixture(autouse=True)
def _limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_size, "LARGE_BYTES", 20_000_000)


def check(graph: dict[Any, Any], pages: int, *known: object) -> None:
    check_size(convert(graph, "all"), pages, lambda value: any(value is one for one in known))


def test_it_says_how_much_and_what_holds_it() -> None:
    with pytest.warns(LargeUploadWarning) as caught:
        check(GRAPH, 3_000_000)
    (warning,) = caught
    assert issubclass(LargeUploadWarning, UserWarning)
    text = str(warning.message)
    assert "this graph holds 27 MB of data" in text
    assert (
        "most of it is in: an argument of ('t', 3) (16 MB), one (8 MB), functions and small arguments (3 MB). " in text
    )
    assert "client.submit" in text
    assert warning.filename == __file__


def test_what_is_too_small_to_matter_is_not_named() -> None:
    graph: dict[Any, Any] = {"one": np.ones(10_000_000), "sum": (np.sum, "one")}
    with pytest.warns(LargeUploadWarning, match=r"most of it is in: one \(80 MB\)\. "):
        check_size(convert(graph, "sum"), 700, lambda value: False)


def test_of_many_parts_the_largest_are_named() -> None:
    graph: dict[Any, Any] = {f"part-{n}": np.ones(n * 100_000) for n in range(1, 10)}
    graph["all"] = (max, *graph)
    with pytest.warns(LargeUploadWarning, match=r"part-9 \(7 MB\), part-8 \(6 MB\), part-7 \(6 MB\)\. "):
        check(graph, 0)


def test_small_graphs_and_what_the_cluster_has_are_no_reason_to_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check({"one": ONE, "all": (np.sum, "one")}, 100)
        check(GRAPH, 100, OTHER)
        check({"all": 1}, 20_000_000)


def test_large_pages_are_one() -> None:
    with pytest.warns(LargeUploadWarning, match="functions and small arguments"):
        check({"all": 1}, 20_000_001)
