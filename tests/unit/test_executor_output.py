"""What tasks print: by task, within limits, from any thread, whatever they do to the streams."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from wukong.mds.store import LogText
from wukong_executor.output import TASK_LIMIT, Output


@contextmanager
def environment() -> Iterator[io.StringIO]:
    """The environment's own streams; pytest sets its own for each phase of a test, so no fixture can."""
    before = sys.stdout, sys.stderr
    stdout = io.StringIO()
    sys.stdout, sys.stderr = stdout, io.StringIO()
    try:
        yield stdout
    finally:
        sys.stdout, sys.stderr = before


def test_pieces_of_one_stream_are_joined_and_also_in_the_log() -> None:
    output = Output()
    with environment() as log, output.captured():
        print("before any task")
        output.task = 3
        print("a", 1)
        print("b", file=sys.stderr)
        sys.stdout.writelines(["c\n", "d\n"])
        output.task = 4
        print("e")
    assert output.take() == [
        LogText(3, "stdout", "a 1\n"),
        LogText(3, "stderr", "b\n"),
        LogText(3, "stdout", "c\nd\n"),
        LogText(4, "stdout", "e\n"),
    ]
    assert output.take() == []
    assert log.getvalue() == "before any task\na 1\nc\nd\ne\n"


def test_what_is_too_much_is_cut_with_a_word() -> None:
    output = Output()
    output.task = 1
    with environment(), output.captured():
        print("x" * TASK_LIMIT * 2, end="")
        print("more")
    (text,) = output.take()
    assert text.text.startswith("x" * TASK_LIMIT + "\n... (the rest")
    assert "more" not in text.text


def test_a_line_that_is_being_printed_is_not_torn() -> None:
    output = Output()
    with environment(), output.captured():
        output.task = 1
        output.add("stdout", "first\nsec")
        assert output.take() == [LogText(1, "stdout", "first\n")]
        output.add("stdout", "ond")
        assert output.take() == []
        output.add("stdout", "\n50%\r")
        assert output.take() == [LogText(1, "stdout", "second\n50%\r")]
        output.add("stdout", "asked for: ")
        assert output.take() == []
        assert output.take() == [LogText(1, "stdout", "asked for: ")]  # nobody goes on with it
        output.add("stderr", "end of one task")
        output.task = 2
        assert output.take() == [LogText(1, "stderr", "end of one task")]
        output.add("stdout", "end of all")
    assert output.take() == [LogText(2, "stdout", "end of all")]
    assert output.take() == []


def test_nothing_is_lost_between_threads_that_print_and_one_that_takes() -> None:
    output = Output()
    output.task = 1
    lines = 3000
    errors: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(lines):
                output.add("stdout", "line\n")
        except BaseException as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=write) for _ in range(2)]
        for thread in threads:
            thread.start()
        taken = []
        while any(thread.is_alive() for thread in threads):
            taken += output.take()
    finally:
        sys.setswitchinterval(interval)
        for thread in threads:
            thread.join()
    taken += output.take()
    assert errors == []
    assert "".join(text.text for text in taken) == "line\n" * (2 * lines)


def test_a_stream_that_a_task_keeps_goes_to_the_next_executor() -> None:
    first, second = Output(), Output()
    second.task = 7
    with environment() as log:
        with first.captured():
            kept = sys.stdout
        kept.write("between\n")
        with second.captured():
            kept.write("later\n")
    assert first.take() == []
    assert second.take() == [LogText(7, "stdout", "later\n")]
    assert log.getvalue() == "between\nlater\n"


def test_a_task_cannot_close_the_streams_of_the_environment() -> None:
    output = Output()
    output.task = 1
    with environment() as log, output.captured():
        sys.stdout.close()
        print("still here")
    assert output.take() == [LogText(1, "stdout", "still here\n")]
    assert not log.closed
