"""Progress as text, and when it is shown."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import pytest

from wukong.client.display import Display, Lines, Notebook, Terminal, display
from wukong.client.progress import Progress, html, line
from wukong.rpc.v1 import event_pb2, job_pb2

HALF = Progress(2000, 1000, 3, 12.7)


def progress(run: int, executors: int = 1) -> event_pb2.JobEvent:
    return event_pb2.JobEvent(progress=event_pb2.Progress(tasks_total=10, tasks_run=run, executors=executors))


LOG = event_pb2.JobEvent(log=event_pb2.LogLines(text="hello\n"))
RUNNING = event_pb2.JobEvent(state=event_pb2.StateChange(state=job_pb2.JOB_STATE_RUNNING))
DONE = event_pb2.JobEvent(
    state=event_pb2.StateChange(
        state=job_pb2.JOB_STATE_DONE, job=job_pb2.Job(tasks_total=10, tasks_run=10, state=job_pb2.JOB_STATE_DONE)
    )
)


class Recorded:
    """A surface that keeps what happens to it, and the clock beside it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.did: list[str] = []

    def clock(self) -> float:
        return self.now

    def draw(self, progress: Progress) -> None:
        self.did.append(f"{progress.tasks_run}/{progress.tasks} after {progress.seconds:g}")

    def clear(self) -> None:
        self.did.append("clear")


def test_a_line_has_a_bar_as_wide_as_there_is_room() -> None:
    text = "1,000/2,000 tasks, 3 executors, 12 s"
    assert line(HALF, 200) == f"[{'#' * 20}{'.' * 20}] {text}"
    assert line(HALF, 50) == f"[{'#' * 5}{'.' * 5}] {text}"
    assert line(HALF, 42) == text
    assert line(HALF, 10) == "1,000/2,0"
    for width in range(1, 120):
        assert len(line(HALF, width)) < width


def test_tasks_that_ran_again_do_not_count_twice() -> None:
    assert line(Progress(10, 15, 1, 0), 80) == f"[{'#' * 40}] 10/10 tasks, 1 executor, 0 s"
    assert line(Progress(0, 0, 0, 0), 80).startswith("[....")


@pytest.mark.parametrize(("seconds", "text"), [(59.9, "59 s"), (60, "1:00"), (605, "10:05"), (3661, "1:01:01")])
def test_times_are_short(seconds: float, text: str) -> None:
    assert line(Progress(1, 0, 0, seconds), 80).endswith(f", {text}")


def test_html_has_a_bar_and_the_words() -> None:
    assert html(HALF) == (
        '<progress value="0.5000" max="1"></progress> <code>1,000/2,000 tasks, 3 executors, 12 s</code>'
    )


def test_nothing_is_shown_before_the_delay_and_not_too_often_after_it() -> None:
    surface = Recorded()
    shown = Display(surface, 2.0, surface.clock)
    for surface.now, event in (
        (100, progress(0)),
        (101.9, progress(1)),
        (102, progress(2)),
        (102.1, progress(3)),
        (102.2, progress(4)),
    ):
        shown.see(event)
    assert surface.did == ["2/10 after 2", "4/10 after 2.2"]


def test_it_makes_room_for_output_and_ends_with_the_end() -> None:
    surface = Recorded()
    shown = Display(surface, 0, surface.clock)
    for surface.now, event in ((101, progress(1)), (101, LOG), (101, LOG), (102, progress(2)), (103, DONE)):
        shown.see(event)
    shown.clear()
    assert surface.did == ["1/10 after 1", "clear", "2/10 after 2", "10/10 after 3", "clear"]


def test_a_short_job_shows_nothing_at_all() -> None:
    surface = Recorded()
    shown = Display(surface, 2.0, surface.clock)
    for event in (RUNNING, progress(1), LOG, DONE):
        shown.see(event)
    shown.clear()
    assert surface.did == []


def test_a_terminals_line_is_drawn_over_and_erased() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream)
    terminal.draw(Progress(10, 1, 1, 0))
    terminal.draw(Progress(10, 2, 1, 0))
    terminal.clear()
    assert [part[:2] for part in stream.getvalue().split("\r\x1b[K")] == ["", "[#", "[#", ""]
    assert "\n" not in stream.getvalue()


def test_a_file_gets_a_line_for_each_change() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    for run in (1, 1, 2):
        lines.draw(Progress(10, run, 1, 0))
    lines.clear()
    assert [text.split("] ")[1] for text in stream.getvalue().splitlines()] == [
        "1/10 tasks, 1 executor, 0 s",
        "2/10 tasks, 1 executor, 0 s",
    ]


def test_a_notebook_has_one_output_that_changes() -> None:
    outputs: list[str] = []

    class Handle:
        def update(self, content: str) -> None:
            outputs.append(f"update {content}")

    def show(content: str, display_id: bool) -> Handle:
        assert display_id
        outputs.append(f"show {content}")
        return Handle()

    def wrap(text: str) -> str:
        return text.partition("<code>")[2].partition(" ")[0]

    notebook = Notebook(show, wrap)
    notebook.draw(Progress(10, 1, 1, 0))
    notebook.draw(Progress(10, 2, 1, 0))
    notebook.clear()
    assert outputs == ["show 1/10", "update 2/10"]


@pytest.mark.parametrize(
    ("wanted", "terminal", "begins"),
    [(True, True, "\r"), (True, False, "["), (False, True, ""), (None, False, ""), (None, True, "")],
)
def test_where_it_is_shown(monkeypatch: pytest.MonkeyPatch, wanted: bool | None, terminal: bool, begins: str) -> None:
    stream = io.StringIO()
    isatty: Callable[[], bool] = lambda: terminal  # noqa: E731
    monkeypatch.setattr(stream, "isatty", isatty, raising=False)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with display(wanted) as shown:
        shown.see(progress(1))
    assert stream.getvalue()[:1] == begins


def test_one_job_at_a_time_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with display(True), display(True) as second:
        second.see(progress(1))
    assert stream.getvalue() == ""
    with display(True) as third:
        third.see(progress(1))
    assert stream.getvalue() != ""
