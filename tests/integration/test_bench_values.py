"""`make bench-values` computes what it says, of values that come back equal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import values
from benchmarks.far_nodes import CASES, Far, far_table
from benchmarks.values import CEILING, OUR, Row, closing_line, table


def test_every_way_is_measured_at_every_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "FOLDER", tmp_path)
    monkeypatch.setattr(values, "TURNS", 1)
    monkeypatch.setattr(values, "REPEATS", 2)
    monkeypatch.setattr(values, "FAR_BYTES", 3 << 20)
    monkeypatch.setattr(values, "FAR_TURNS", 1)
    monkeypatch.setattr(values, "SIZES", {"1 KB": 1024, "17 MB": 17 << 20})
    values.main()
    document = json.loads((tmp_path / "values.json").read_text())
    found = {(row["size"], row["action"], row["way"]) for row in document["rows"]}
    ways = ("1 node", "2 nodes", "4 nodes", "1 node, TCP", CEILING, "loopback", "copy")
    assert found == {(size, action, way) for size in (1024, 17 << 20) for action in ("put", "get") for way in ways}
    assert all(len(row["seconds"]) == 1 and row["seconds"][0] > 0 for row in document["rows"])
    assert [one["case"] for one in document["far"]] == list(CASES)
    # By one node that lets 100 MB through in a second it cannot take less.
    assert all(document["far"][0][action][0] >= 0.03 for action in ("put", "get"))
    text = (tmp_path / "values.md").read_text()
    assert text.count("| 17 MB |") == 2
    assert text.splitlines()[-1] == document["closing"]


def test_numbers_are_computed_from_the_samples() -> None:
    rows = [
        Row(1024, "put", OUR, [1.0], 0.0),
        Row(1024, "put", CEILING, [0.001], 0.0),
        Row(1024, "get", OUR, [1.0], 0.0),
        Row(1024, "get", CEILING, [0.001], 0.0),
        Row(10**9, "put", OUR, [4.0, 1.0, 2.0], 3.0),
        Row(10**9, "put", CEILING, [1.0, 1.0, 1.0], 1.5),
        Row(10**9, "get", OUR, [1.0, 1.0, 9.0], 2.0),
        Row(10**9, "get", CEILING, [0.9, 0.5, 0.9], 1.0),
    ]
    assert (rows[4].bandwidth, rows[4].best, rows[4].cpu_seconds_per_gb) == (0.5, 1.0, 3.0)
    assert closing_line(rows) == "large values to the bare socket's bandwidth, one node: put 0.50, get 0.90"
    assert closing_line(rows[:4]).endswith("put 0.00, get 0.00")
    assert list(table(rows))[-3:] == [
        "| 1000000000 | put | 0.5 (1) | 1 (1) | 0.50 | 3.00 | 1.50 |",
        "| 1 KB | get | 1.02e-06 (1.02e-06) | 0.00102 (0.00102) | 0.00 | 0.00 | 0.00 |",
        "| 1000000000 | get | 1 (1) | 1.11 (2) | 0.90 | 2.00 | 1.00 |",
    ]


def test_far_nodes_are_compared_with_one() -> None:
    cases = [Far("one", [2.0, 4.0, 3.0], [1.0, 1.0, 1.0]), Far("more", [1.0, 0.5, 2.0], [4.0, 4.0, 5.0])]
    assert list(far_table(64 * 10**6, cases))[2:] == [
        "| one | 3.00 (2.00) | 1.00 (1.00) | 1.0 | 1.0 |",
        "| more | 1.00 (0.50) | 4.00 (4.00) | 3.0 | 0.2 |",
    ]
