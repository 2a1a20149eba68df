"""The small pure parts of the emulator: names, settings, traces, failures and logs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wukong_lambda_emulator import environment_log, failure, function_name, function_settings, trace
from wukong_lambda_emulator.api_error import ApiError
from wukong_lambda_emulator.environment_log import EnvironmentLog, FunctionLog
from wukong_lambda_emulator.launch import Launch


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ("f", None, ("f", "$LATEST")),
        ("f:live", None, ("f", "live")),
        ("f", "7", ("f", "7")),
        ("f:7", "7", ("f", "7")),
        ("123456789012:function:f", None, ("f", "$LATEST")),
        ("arn:aws:lambda:eu-central-1:123456789012:function:f:live", None, ("f", "live")),
        ("arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f_2-x", None, ("f_2-x", "$LATEST")),
    ],
)
def test_function_names(text: str, given: str | None, expected: tuple[str, str]) -> None:
    assert function_name.parse(text, given) == expected


@pytest.mark.parametrize(("text", "given"), [("", None), ("f g", None), ("f:1", "2"), ("x" * 65, None)])
def test_what_is_no_function_name(text: str, given: str | None) -> None:
    with pytest.raises(ApiError) as raised:
        function_name.parse(text, given)
    assert (raised.value.status, raised.value.name) == (400, "InvalidParameterValueException")


def test_settings_have_defaults() -> None:
    settings = function_settings.parse('{"f": {"handler": "a.b", "concurrency": 3}}')["f"]
    assert settings.limits.concurrency == 3
    assert (settings.retries, settings.maximum_event_age, settings.warm_environments) == (0, 300.0, 3)
    many = function_settings.parse('{"f": {"handler": "a.b", "concurrency": 1000}}')["f"]
    assert many.warm_environments == 8
    cold = function_settings.parse('{"f": {"handler": "a.b", "warm": 0}}')["f"]
    assert cold.warm_environments == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "must be a JSON object"),
        ('{"f": 1}', "must be a JSON object"),
        ('{"f": {}}', "'f' in WUKONG_FUNCTIONS has no handler"),
        ('{"f": {"handler": "ab"}}', "'ab' of function 'f' is not of the form"),
        ('{"f": {"handler": "a.b", "memory": 1}}', "'f' has an unknown setting 'memory'; known are handler, memory_mb"),
        ('{"f": {"handler": "a.b", "memory_mb": "1"}}', "'memory_mb' of function 'f' cannot be '1'"),
        ('{"f": {"handler": "a.b", "concurrency": true}}', "'concurrency' of function 'f' cannot be True"),
        ('{"f": {"handler": "a.b", "retries": -1}}', "'retries' of function 'f' is negative"),
        ('{"f": {"handler": "a.b", "timeout": 0}}', "must be above 0"),
        ('{"f": {"handler": "a.b", "memory_mb": 127}}', "memory_mb of function 'f' is 127, and must be 128 or more"),
        ('{"f": {"handler": "a.b", "environment": {"A": 1}}}', "not a string"),
        ('{"f": {"handler": "a.b", "stores": "h:1"}}', "cannot be 'h:1'"),
        ('{"f": {"handler": "a.b", "stores": ["h"]}}', "'h', which is not of the form host:port"),
        ('{"f": {"handler": "a.b", "recursive_loop": "No"}}', "must be Allow or Terminate"),
        ('{"f": {"handler": "a.b", "cold_start_seconds": Infinity}}', "'cold_start_seconds' .* no finite number: inf"),
        ('{"f": {"handler": "a.b", "chaos": 0.5}}', "'chaos' of function 'f' cannot be 0.5"),
        ('{"f": {"handler": "a.b", "chaos": {"drop": 2}}}', "function 'f': chaos 'drop' is 2"),
    ],
)
def test_wrong_settings_are_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function_settings.parse(text)


def test_a_cold_start_is_not_taken_for_a_start_that_hangs() -> None:
    settings = function_settings.parse('{"f": {"handler": "a.b", "timeout": 100, "cold_start_seconds": 200}}')["f"]
    assert settings.limits.start_timeout == 300


def test_a_trace_counts_how_often_a_chain_came_to_a_function() -> None:
    header, visits = trace.follow("", "arn:f")
    assert visits == 1
    other, visits = trace.follow(header, "arn:g")
    assert visits == 1
    again, visits = trace.follow(other, "arn:f")
    assert visits == 2
    roots = {text.split(";")[0] for text in (header, other, again)}
    assert len(roots) == 1


def test_a_trace_that_aws_made_is_followed() -> None:
    mark = trace.follow("", "arn:f")[0].split("Lineage=1:")[1].split(":")[0]
    header = f"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:68fd508a:5|{mark}:2"
    followed, visits = trace.follow(header, "arn:f")
    assert visits == 3
    assert followed.startswith("Root=1-5759e988-bd862e3fe1be46a994272793;")
    assert followed.endswith(f";Sampled=1;Lineage=1:68fd508a:5|{mark}:3")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (0, "Runtime exited without providing a reason"),
        (64, "Runtime exited with error: exit status 64"),
        (-9, "Runtime exited with error: signal: killed"),
        (-40, "Runtime exited with error: signal: signal 40"),
    ],
)
def test_exits_are_described(status: int, message: str) -> None:
    ended = failure.exited(status)
    assert (ended.error_type, ended.message) == ("Runtime.ExitError", message)
    assert json.loads(ended.describe("id")) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: id Error: {message}",
    }


def test_a_launch_survives_the_wire() -> None:
    launch = Launch("a.b", {"A": "line\nend", "B": "é"}, "/tmp", 1)
    assert launch.encode().count(b"\n") == 1
    assert Launch.decode(launch.encode()) == launch


@pytest.fixture
def log(tmp_path: Path) -> Iterator[FunctionLog]:
    log = FunctionLog("f", tmp_path)
    yield log
    log.close()


@pytest.fixture
def printed(log: FunctionLog) -> Iterator[EnvironmentLog]:
    printed = EnvironmentLog(1, log)
    printed.open()
    yield printed
    printed.close()


def test_lines_of_environments_are_whole_and_marked(log: FunctionLog, printed: EnvironmentLog) -> None:
    other = EnvironmentLog(2, log)
    os.write(printed.writing, b"one, ")
    printed.drain()
    other.write("between")
    os.write(printed.writing, b"two\nthree")
    printed.drain()
    printed.write("END")
    other.close()
    assert log.text() == "[2] between\n[1] one, two\n[1] three\n[1] END\n"


def test_the_tail_is_that_of_the_present_invocation(printed: EnvironmentLog) -> None:
    os.write(printed.writing, b"before\n")
    printed.drain()
    printed.begin()
    os.write(printed.writing, "ä".encode() * 3000)
    printed.drain()
    tail = printed.tail()
    assert len(tail) == 4096
    assert tail.decode() == "ä" * 2048
    os.write(printed.writing, b"x")
    printed.drain()
    assert printed.tail().decode() == "ä" * 2047 + "x"


def test_a_function_log_keeps_the_newest_mib(log: FunctionLog, printed: EnvironmentLog) -> None:
    for number in range(30):
        printed.write(f"{number:02} " + "x" * 50_000)
    text = log.text()
    assert len(text) <= environment_log.MEMORY_BYTES
    assert text.startswith("[1] 10 ")
    assert "[1] 29 " in text


def test_a_log_file_is_put_aside_when_it_is_full(
    log: FunctionLog, printed: EnvironmentLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment_log, "FILE_BYTES", 20)
    for word in ("first", "second", "third"):
        printed.write(word)
    assert (tmp_path / "f.log.1").read_text() == "[1] first\n[1] second\n"
    assert (tmp_path / "f.log").read_text() == "[1] third\n"


def test_the_end_of_the_pipe_is_seen(printed: EnvironmentLog) -> None:
    assert printed.drain() is True
    printed.close_writing()
    assert printed.drain() is False
