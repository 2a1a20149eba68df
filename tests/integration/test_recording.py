"""The recording of a terminal in docs/report.md: a new one has the same rows, but for times, sizes and their order."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^([ ~]) +(\d+\.\d\d)(?:  (.*))?$")


def rows(text: str) -> list[tuple[bool, float, str]]:
    """Whether it was erased, time, text."""
    found = [ROW.match(line) for line in text.splitlines()]
    assert all(found)
    return [(row[1] == "~", float(row[2]), row[3] or "") for row in found if row]


@pytest.fixture(scope="module", params=["page", "run"])
def recording(request: pytest.FixtureRequest) -> list[tuple[bool, float, str]]:
    if request.param == "page":
        (block,) = re.findall(r"^```text\n([ ~]  0\.00 .*?)^```$", (ROOT / "docs/report.md").read_text(), re.M | re.S)
        return rows(block)
    command = [sys.executable, "-W", "error", "-m", "examples.recording"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return rows(done.stdout)


def test_progress_grows_and_is_taken_away(recording: list[tuple[bool, float, str]]) -> None:
    bars = [text for erased, _, text in recording if erased]
    pattern = re.compile(r"\[#*\.*\] (\d+)/17 tasks, (?:[12] executors?, )?\d s")
    assert all(pattern.fullmatch(bar) for bar in bars)
    done = [int(match[1]) for bar in bars if (match := pattern.match(bar))]
    assert done == sorted(done)
    assert len(done) >= 2
    assert done[-1] == 17
    times = [time for _, time, _ in recording]
    assert times == sorted(times)


def test_what_tasks_print_is_marked_and_whole(recording: list[tuple[bool, float, str]]) -> None:
    printed = {text for erased, _, text in recording if not erased and text.startswith("[")}
    assert printed == {f"[('simulate', {seed})] seed {seed} converged" for seed in (0, 5, 10, 15)}


def test_result_and_report_come_last(recording: list[tuple[bool, float, str]]) -> None:
    left = [text for erased, _, text in recording if not erased]
    report = left[left.index(f"sum of squares: {sum(seed**2 for seed in range(16))}") + 1 :]
    assert report[0].startswith("17 runs of 17 tasks in ")
    assert [title for line in report[1:] if (title := line[:11].strip())] == [
        *("time", "stores", "memory", "cost", "slowest"),
    ]
    slowest = [re.fullmatch(r".{11}(\d\.\d{3}) s  \('simulate', \d+\)", line) for line in report[-5:]]
    seconds = [float(match[1]) for match in slowest if match]
    assert len(seconds) == 5
    assert seconds == sorted(seconds, reverse=True)
    assert seconds[-1] >= 0.5
    assert all(len(text) < 100 for _, _, text in recording)
