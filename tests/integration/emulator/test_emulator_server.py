"""The emulator as its callers meet it: real boto3, real awslambdaric, real processes from the real zygote."""

from __future__ import annotations

import base64
import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from tests.waiting import until

from wukong_lambda_emulator import zygote_provider

T = TypeVar("T")
Emulate = Callable[..., Any]
HERE = str(Path(__file__).parent)
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


# What a function sees and what its caller gets.


def test_a_synchronous_invocation_answers_with_the_functions_result(emulate: Emulate) -> None:
    emulator = emulate("echo")
    answer = emulator.invoke({"größe": [1, None]})
    assert answer["Payload"] == {"größe": [1, None]}
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer
    assert emulator.invoke(b"")["Payload"] == {}


def test_an_environment_is_what_lambda_promises(emulate: Emulate) -> None:
    emulator = emulate("describe", memory_mb=512, timeout=30, environment={"COLOUR": "blue"})
    context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    answer = emulator.invoke(ClientContext=context)
    seen = answer["Payload"]
    assert seen["request"] == answer["ResponseMetadata"]["RequestId"]
    assert (seen["name"], seen["memory"], seen["arn"]) == ("f", "512", ARN)
    assert 25_000 < seen["left"] <= 30_000
    assert seen["custom"] == {"k": "v"}
    assert (seen["variable"], seen["zone"], seen["directory"]) == ("blue", "UTC", HERE)
    assert (seen["main_thread"], seen["stdin"], seen["leader"]) == (True, "", True)
    # No input, output twice and the lifeline; then curl's connection and its own pair. Nothing of the zygote's.
    assert seen["descriptors"] == ["/dev/null", "pipe", "pipe", "pipe", "socket", "socket", "socket"]


def test_environments_do_not_share_their_random_numbers(emulate: Emulate) -> None:
    emulator = emulate("describe", concurrency=1)
    first = emulator.invoke()["Payload"]["noise"]
    os.kill(emulator.service.pids()[0], signal.SIGKILL)
    until(lambda: not emulator.service.pids())
    second = emulator.invoke()["Payload"]["noise"]
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_an_exception_becomes_a_function_error(emulate: Emulate) -> None:
    answer = emulate("fail").invoke()
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorMessage"] == "nothing here"
    assert answer["Payload"]["errorType"] == "LookupError"
    assert "raise LookupError" in answer["Payload"]["stackTrace"][-1]


def test_the_log_tail_holds_the_output_between_lambdas_own_lines(emulate: Emulate) -> None:
    emulator = emulate("speak")
    emulator.invoke(["of an earlier invocation"])
    answer = emulator.invoke(["one", "two"], LogType="Tail")
    id_ = answer["ResponseMetadata"]["RequestId"]
    start, one, two, rest, end, report, nothing = answer["LogResult"].split("\n")
    assert start == f"START RequestId: {id_} Version: $LATEST"
    assert (one, two, rest) == ("one", "two", "no line end")
    assert end == f"END RequestId: {id_}"
    assert report.startswith(f"REPORT RequestId: {id_}\tDuration: ")
    assert "Max Memory Used: " in report
    assert nothing == ""
    tail = emulator.invoke(["é" * 5000], LogType="Tail")["LogResult"]
    assert 4090 <= len(tail.encode()) <= 4096
    assert "LogResult" not in emulator.invoke([])


def test_a_dry_run_runs_nothing(emulate: Emulate, tmp_path: Path) -> None:
    emulator = emulate("record")
    answer = emulator.invoke({"file": str(tmp_path / "f"), "line": 1}, InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    assert emulator.invoke({"file": str(tmp_path / "f"), "line": 2})["StatusCode"] == 200
    assert (tmp_path / "f").read_text() == "2\n"


def test_quick_events_all_run_exactly_once(emulate: Emulate, tmp_path: Path) -> None:
    emulator = emulate("record")
    file = tmp_path / "f"
    for number in range(500):
        answer = emulator.invoke({"file": str(file), "line": number}, InvocationType="Event")
        assert (answer["StatusCode"], answer["Payload"]) == (202, None)
    until(lambda: emulator.log().count("END RequestId") == 500)
    assert sorted(map(int, file.read_text().split())) == list(range(500))
    assert len(emulator.service.pids()) == 2


def test_events_are_delivered_as_often_as_the_function_says(emulate: Emulate, tmp_path: Path) -> None:
    emulator = emulate("record", deliveries=2)
    file = tmp_path / "f"
    for number in range(20):
        emulator.invoke({"file": str(file), "line": number}, InvocationType="Event")
    until(lambda: emulator.log().count("END RequestId") == 40)
    assert sorted(map(int, file.read_text().split())) == sorted([*range(20), *range(20)])


@pytest.mark.parametrize("name", ["f", "f:$LATEST", ARN, f"{ARN}:$LATEST", "000000000000:function:f", "function:f"])
def test_a_function_has_several_names(emulate: Emulate, name: str) -> None:
    assert json.loads(emulate("echo").client.invoke(FunctionName=name, Payload=b"1")["Payload"].read()) == 1


def test_large_payloads_pass_both_ways(emulate: Emulate) -> None:
    emulator = emulate("sizes")
    text = b'"' + b"x" * (6 * 2**20 - 2) + b'"'
    assert emulator.invoke(text)["Payload"] == 6 * 2**20 - 2
    assert len(emulator.invoke(6 * 2**20)["Payload"]) == 6 * 2**20
    answer = emulator.invoke(6 * 2**20 + 100)
    assert answer["Payload"]["errorType"] == "Function.ResponseSizeTooLarge"
    # The runtime does not survive that, as on Lambda; the next invocation gets a fresh one.
    assert emulator.invoke("abc")["Payload"] == 3


# What is refused.


def test_an_unknown_function_is_not_found(emulate: Emulate) -> None:
    client = emulate("echo").client
    missing = client.exceptions.ResourceNotFoundException
    with pytest.raises(missing, match="Function not found: arn:aws:lambda:us-east-1:000000000000:function:g") as raised:
        client.invoke(FunctionName="g")
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    with pytest.raises(missing, match="function:f:live"):
        client.invoke(FunctionName="f", Qualifier="live")
    with pytest.raises(missing):
        client.get_function(FunctionName="g")
    with pytest.raises(missing):
        client.put_function_concurrency(FunctionName="g", ReservedConcurrentExecutions=1)
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="derived qualifier"):
        client.invoke(FunctionName="f:$LATEST", Qualifier="live")


def test_payloads_past_the_limits_are_refused(emulate: Emulate) -> None:
    emulator = emulate("sizes")
    too_large = emulator.client.exceptions.RequestTooLargeException
    with pytest.raises(too_large, match=r"6291457 byte payload .* RequestResponse .*limit 6291456 bytes"):
        emulator.invoke(b'"' + b"x" * (6 * 2**20 - 1) + b'"')
    with pytest.raises(too_large, match=r"1048577 byte payload .* Event .*limit 1048576 bytes") as raised:
        emulator.invoke(b'"' + b"x" * (2**20 - 1) + b'"', InvocationType="Event")
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert emulator.invoke(b'"' + b"x" * (2**20 - 2) + b'"', InvocationType="Event")["StatusCode"] == 202


@pytest.mark.parametrize("payload", [b"{", b"NaN", b"\xff", b"[" * 100_000])
def test_a_payload_that_is_not_json_is_refused(emulate: Emulate, payload: bytes) -> None:
    emulator = emulate("echo")
    with pytest.raises(emulator.client.exceptions.InvalidRequestContentException, match="Could not parse"):
        emulator.invoke(payload)


def test_a_client_context_must_be_an_object(emulate: Emulate) -> None:
    emulator = emulate("echo")
    with pytest.raises(emulator.client.exceptions.InvalidRequestContentException, match="Client context"):
        emulator.invoke(1, ClientContext=base64.b64encode(b"1").decode())


def test_synchronous_invocations_beyond_the_concurrency_are_throttled(emulate: Emulate, tmp_path: Path) -> None:
    emulator = emulate("wait_for", concurrency=1)
    throttled = emulator.client.exceptions.TooManyRequestsException
    file = tmp_path / "go"
    emulator.invoke(str(file), InvocationType="Event")
    until((tmp_path / "go.begun").exists)
    with pytest.raises(throttled) as raised:
        emulator.invoke("")
    assert raised.value.response["Reason"] == "ConcurrentInvocationLimitExceeded"
    assert raised.value.response["retryAfterSeconds"] == "1"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    # An asynchronous one waits instead.
    emulator.invoke(str(file), InvocationType="Event")
    file.touch()
    until(lambda: emulator.log().count("END RequestId") == 2)
    # One caller after the other, as fast as it goes, is never throttled by its own last invocation.
    for _ in range(200):
        assert emulator.invoke(str(file))["Payload"] == "seen"


def test_reserved_concurrency_is_set_read_and_deleted(emulate: Emulate, tmp_path: Path) -> None:
    emulator = emulate("record")
    client, event = emulator.client, {"file": str(tmp_path / "f"), "line": 1}
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName="f")
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    assert client.get_function_concurrency(FunctionName="f")["ReservedConcurrentExecutions"] == 0
    assert client.get_function(FunctionName="f")["Concurrency"] == {"ReservedConcurrentExecutions": 0}
    with pytest.raises(client.exceptions.TooManyRequestsException) as raised:
        emulator.invoke(event)
    assert raised.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    emulator.invoke(event, InvocationType="Event")
    client.delete_function_concurrency(FunctionName="f")
    until((tmp_path / "f").exists)
    assert emulator.invoke(event)["StatusCode"] == 200


def test_functions_can_be_described_and_listed(emulate: Emulate) -> None:
    client = emulate("echo", memory_mb=300, environment={"A": "b"}).client
    described = client.get_function(FunctionName="f")["Configuration"]
    assert described["FunctionArn"] == ARN
    assert (described["Handler"], described["MemorySize"]) == ("emulator_fixtures.echo", 300)
    assert described["Environment"] == {"Variables": {"A": "b"}}
    plain = client.get_function_configuration(FunctionName="f")
    assert described.items() <= plain.items()
    assert [entry["FunctionName"] for entry in client.list_functions()["Functions"]] == ["f"]


def test_functions_are_listed_in_pages(emulate: Emulate) -> None:
    many = {f"f{number}": {"handler": "a.b", "warm": 0} for number in range(5)}
    client = emulate("echo", environ={"WUKONG_FUNCTIONS": json.dumps(many)}).client
    pages = client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    assert [[entry["FunctionName"] for entry in page["Functions"]] for page in pages] == [
        ["f0", "f1"],
        ["f2", "f3"],
        ["f4"],
    ]


# How environments end.


def test_a_timeout_ends_the_environment(emulate: Emulate) -> None:
    emulator = emulate("sleep", timeout=0.3)
    assert emulator.invoke(0)["Payload"] is None
    (pid,) = emulator.service.pids()
    answer = emulator.invoke(60, LogType="Tail")
    id_ = answer["ResponseMetadata"]["RequestId"]
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"] == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {id_} Error: Task timed out after 0.30 seconds",
    }
    assert "asleep\n" in answer["LogResult"]
    assert "Task timed out after 0.30 seconds" in answer["LogResult"]
    assert "Status: timeout" in answer["LogResult"]
    until(lambda: not psutil.pid_exists(pid))
    assert "FunctionError" not in emulator.invoke(0)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("exit 3", "Runtime exited with error: exit status 3"),
        ("exit text", "Runtime exited with error: exit status 1"),
        ("exit 0", "Runtime exited without providing a reason"),
        ("interrupt", "Runtime exited with error: signal: interrupt"),
        ("kill", "Runtime exited with error: signal: killed"),
        ("segfault", "Runtime exited with error: signal: segmentation fault"),
    ],
)
def test_an_environment_that_ends_by_itself_fails_its_invocation(emulate: Emulate, how: str, message: str) -> None:
    emulator = emulate("end")
    answer = emulator.invoke(how, LogType="Tail")
    id_ = answer["ResponseMetadata"]["RequestId"]
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"] == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {id_} Error: {message}"}
    assert "ending\n" in answer["LogResult"]
    assert "Error Type: Runtime.ExitError" in answer["LogResult"]
    assert ("\na reason\n" in answer["LogResult"]) == (how == "exit text")
    assert emulator.invoke("not at all")["Payload"] is None


@pytest.mark.parametrize("where", ["here", "child"])
def test_an_environment_past_its_memory_is_ended(emulate: Emulate, where: str) -> None:
    emulator = emulate("grow", memory_mb=200)
    answer = emulator.invoke({"where": where, "mb": 250, "seconds": 60}, LogType="Tail")
    assert answer["Payload"]["errorType"] == "Runtime.OutOfMemory"
    assert answer["Payload"]["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")
    assert "above its memory_mb of 200" in answer["LogResult"]
    used = int(answer["LogResult"].split("Max Memory Used: ")[1].split()[0])
    assert 200 < used < 700
    assert "FunctionError" not in emulator.invoke({"where": "here", "mb": 1, "seconds": 0})


def test_memory_shared_with_a_forked_child_counts_once(emulate: Emulate) -> None:
    emulator = emulate("grow", memory_mb=300)
    answer = emulator.invoke({"where": "shared", "mb": 180, "seconds": 1.2}, LogType="Tail")
    assert answer["Payload"] == 180 * 2**20
    assert 180 < int(answer["LogResult"].split("Max Memory Used: ")[1].split()[0]) < 300


def test_an_environment_ends_with_what_it_started(emulate: Emulate, gone: Callable[[list[int]], None]) -> None:
    emulator = emulate("have_child", idle_seconds=0.2)
    pids = emulator.invoke()["Payload"]
    assert all(map(psutil.pid_exists, pids))
    gone(pids)


def test_a_handler_that_cannot_be_imported_is_reported(emulate: Emulate) -> None:
    missing = emulate("no_such_module.handler").invoke()
    assert missing["FunctionError"] == "Unhandled"
    assert missing["Payload"]["errorType"] == "Runtime.ImportModuleError"
    assert "No module named 'no_such_module'" in missing["Payload"]["errorMessage"]
    absent = emulate("absent").invoke()
    assert absent["Payload"]["errorType"] == "Runtime.HandlerNotFound"


def test_environments_stay_warm_and_are_reaped(emulate: Emulate) -> None:
    emulator = emulate("pid", idle_seconds=0.5)
    pids = {emulator.invoke()["Payload"] for _ in range(20)}
    assert len(pids) == 1
    until(lambda: not psutil.pid_exists(*pids))
    until(lambda: emulator.service.pids() == [])  # told a moment after
    assert emulator.invoke()["Payload"] not in pids


def test_warm_environments_are_there_before_the_first_invocation(emulate: Emulate) -> None:
    emulator = emulate("pid", warm=-1, concurrency=3)
    until(lambda: len(emulator.service.pids()) == 3)
    pids = emulator.service.pids()
    assert emulator.invoke()["Payload"] in pids


def test_an_environment_killed_while_idle_is_replaced(emulate: Emulate) -> None:
    emulator = emulate("pid", concurrency=1)
    for _ in range(5):
        pid = emulator.invoke()["Payload"]
        os.kill(pid, signal.SIGKILL)
        until(lambda: pid not in emulator.service.pids())  # noqa: B023
    assert emulator.invoke()["Payload"] != pid


def test_an_environment_killed_at_work_fails_its_invocation_only(emulate: Emulate, tmp_path: Path) -> None:
    emulator = emulate("wait_for", concurrency=1)
    emulator.invoke(str(tmp_path / "go"), InvocationType="Event")
    until((tmp_path / "go.begun").exists)
    os.kill(emulator.service.pids()[0], signal.SIGKILL)
    until(lambda: "Error Type: Runtime.ExitError" in emulator.log())
    (tmp_path / "go").touch()
    assert emulator.invoke(str(tmp_path / "go"))["Payload"] == "seen"


# Asynchronous invocations.


def test_failed_events_are_retried(emulate: Emulate, tmp_path: Path) -> None:
    emulator = emulate("record", retries=2, retry_seconds=0.05)
    emulator.invoke({"file": str(tmp_path / "f"), "line": 1, "fail": True}, InvocationType="Event")
    until(lambda: emulator.log().count("END RequestId") == 3)
    assert "is tried again in 0.1 s: failed on purpose" in emulator.log()
    assert emulator.invoke({"file": str(tmp_path / "f"), "line": 2})["StatusCode"] == 200
    assert (tmp_path / "f").read_text() == "1\n1\n1\n2\n"


def test_events_are_not_retried_unless_the_function_says_so(emulate: Emulate, tmp_path: Path) -> None:
    emulator = emulate("record", concurrency=1)
    emulator.invoke({"file": str(tmp_path / "f"), "line": 1, "fail": True}, InvocationType="Event")
    emulator.invoke({"file": str(tmp_path / "f"), "line": 2}, InvocationType="Event")
    until(lambda: emulator.log().count("END RequestId") == 2)
    assert (tmp_path / "f").read_text() == "1\n2\n"
    assert "tried again" not in emulator.log()


def test_events_that_waited_for_too_long_are_dropped(emulate: Emulate, tmp_path: Path) -> None:
    emulator = emulate("record", maximum_event_age=0.2)
    emulator.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    emulator.invoke({"file": str(tmp_path / "f"), "line": 1}, InvocationType="Event")
    until(lambda: "did not begin in 0.2 s and is dropped" in emulator.log())
    emulator.client.delete_function_concurrency(FunctionName="f")
    emulator.invoke({"file": str(tmp_path / "f"), "line": 2})
    assert (tmp_path / "f").read_text() == "2\n"


@pytest.mark.parametrize(("recursive_loop", "times"), [("Terminate", 16), ("Allow", 20)])
def test_chains_of_invocations_are_cut_where_that_is_not_allowed(
    emulate: Emulate, tmp_path: Path, free_port: int, recursive_loop: str, times: int
) -> None:
    address = f"127.0.0.1:{free_port}"
    emulator = emulate(
        "recurse",
        concurrency=1,
        recursive_loop=recursive_loop,
        environ={"WUKONG_LISTEN": address},
        environment={"ENDPOINT": f"http://{address}"},
    )
    emulator.invoke({"file": str(tmp_path / "f")}, InvocationType="Event")
    until(lambda: emulator.log().count("END RequestId") >= times)
    if recursive_loop == "Terminate":
        assert "is the 17th of its chain and is stopped" in emulator.log()
        assert (tmp_path / "f").read_text() == "again\n" * 16
    emulator.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# The service.


def test_logs_go_to_a_folder_too(emulate: Emulate, tmp_path: Path) -> None:
    emulator = emulate("speak", environ={"WUKONG_LOG_DIR": str(tmp_path / "logs")})
    emulator.invoke(["to be kept"])
    assert "[1] to be kept\n" in (tmp_path / "logs" / "f.log").read_text()
    assert "[1] to be kept\n" in emulator.log()


def test_a_port_in_use_is_an_error_and_leaves_nothing_behind(emulate: Emulate) -> None:
    first = emulate("echo")
    with pytest.raises(OSError, match="in use"):
        emulate("echo", environ={"WUKONG_LISTEN": first.service.address})


def test_callers_who_wait_are_told_when_the_emulator_closes(emulate: Emulate, loop: Any, tmp_path: Path) -> None:
    emulator = emulate("wait_for")
    raised: list[Exception] = []

    def call() -> None:
        try:
            emulator.invoke(str(tmp_path / "go"))
        except Exception as error:
            raised.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    until((tmp_path / "go.begun").exists)
    (pid,) = emulator.service.pids()
    loop.run(emulator.service.close())
    caller.join(5)
    assert "shutting down" in str(raised[0])
    assert not psutil.pid_exists(pid)


def test_without_a_zygote_callers_are_told_and_a_new_one_is_used(
    emulate: Emulate,
    begin_zygote: Callable[[Path], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gone: Callable[[list[int]], None],
) -> None:
    monkeypatch.setattr(zygote_provider, "REPLACEMENT_SECONDS", 0.1)
    path = tmp_path / "socket"
    zygote = begin_zygote(path)
    emulator = emulate("pid", environ={"WUKONG_ZYGOTE_SOCKET": str(path)}, concurrency=1)
    pid = emulator.invoke()["Payload"]
    zygote.process.kill()
    gone([pid])
    until(lambda: not emulator.service.pids())
    with pytest.raises(emulator.client.exceptions.ServiceException, match="no zygote listens on"):
        emulator.invoke()
    zygote.close()
    replacement = begin_zygote(path)
    until(path.exists)
    answer = until(lambda: _reached(emulator))
    assert answer
    assert answer["Payload"] != pid
    replacement.close()


def _reached(emulator: Any) -> dict[str, Any] | None:
    try:
        return emulator.invoke()
    except emulator.client.exceptions.ServiceException:
        return None
