"""docs/one-job.md tells what happens: a run of the same job says the same things in the same order.

Times differ, of course, and so does what depends on them: how many beats there were, when the scheduler looked whether
anything is new, and whether an executor ends together with its last report or right after it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^ *\d+\.\d  (\S.*?) {2,}(\S.*)$", re.MULTILINE)
BLOCK = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)

#: Rows that come when they come.
VARIES = re.compile(
    r"XRANGE|HGETALL|renew |INFO server|GET w:ring|WatchJob answer progress|sync of record \S+: (beat|end)"
    r"|answer, after"
)

Said = list[tuple[str, str]]


@pytest.fixture(scope="module")
def seen() -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "examples.one_job"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def page() -> str:
    return "".join(BLOCK.findall((ROOT / "docs/one-job.md").read_text()))


def said(text: str) -> Said:
    """Who says what, without times, sizes and counts."""
    rows = []
    for parties, words in ROW.findall(text):
        if not VARIES.match(words):
            words = re.sub(r", (not )?ended|, end\b| \(and .* more like it\)", "", words)
            rows.append((parties, re.sub(r"\d[\d,.]*", "#", words)))
    return rows


def test_stores_and_executors_do_what_the_page_says_in_that_order(seen: str, page: str) -> None:
    def work(text: str) -> Said:
        return [(parties, words) for parties, words in said(text) if "client" not in parties]

    assert work(seen) == work(page)
    assert len(work(page)) > 25


def test_client_and_scheduler_say_what_the_page_says_in_that_order(seen: str, page: str) -> None:
    def talk(text: str) -> Said:
        return [(parties, words) for parties, words in said(text) if "client" in parties]

    assert talk(seen) == talk(page)
    assert [words.split()[0] for _, words in talk(page)].count("WatchJob") == 3


@pytest.mark.parametrize(("record", "task"), [("0", "b"), ("T1-1.0", "c")])
def test_beats_come_while_a_task_runs_and_the_record_ends_last(seen: str, page: str, record: str, task: str) -> None:
    for text in (seen, page):
        own = [words for _, words in ROW.findall(text) if words.startswith(f"sync of record {record}:")]
        assert own[0].startswith(
            f"sync of record {record}: beat, running {'b' if record == '0' else 'c'} -> go on (and "
        )
        assert own[-1].endswith(", ended") or own[-1].endswith("end -> ended")
        assert not any(words.endswith((", ended", "-> ended")) for words in own[:-1])


def test_each_executor_answers_when_its_record_has_ended(seen: str, page: str) -> None:
    for text in (seen, page):
        for number in "12":
            own = [words for parties, words in ROW.findall(text) if parties.startswith(f"executor {number}")]
            assert own[0].startswith("begin record")
            assert own[-1].startswith("answer, after")
