from __future__ import annotations

import dataclasses

from google.protobuf import json_format

from wukong.mds.counters import Counters
from wukong.mds.failure import Failure
from wukong.mds.store import Event, JobInfo, TaskTime
from wukong.prices import Prices
from wukong.rpc.v1 import event_pb2, job_pb2
from wukong.values.mark import json_mark
from wukong_scheduler import messages
from wukong_scheduler.targets import Targets

INFO = JobInfo(
    state="running",
    generation=0,
    tasks=10,
    sinks=2,
    sinks_left=2,
    parallelism=4,
    ring_version=1,
    live_records=3,
    created=1000.5,
    ended=0.0,
    deadline=9000.0,
    expires=9900.0,
    json_results=False,
    counters=Counters(
        tasks_run=7,
        executors=4,
        cold_starts=1,
        invocations=5,
        round_trips=6,
        bytes_read=8,
        bytes_written=9,
        peak_memory=10,
        mb_ms=3 * 1024 * 1000,
        starting_us=11_000_000,
        running_us=12_000_000,
        reading_us=13_000_000,
        writing_us=14_000_000,
        reporting_us=15_000_000,
        waiting_us=16_000_000,
    ),
    failure=None,
    slowest=[TaskTime(4, "('x', 4)", 2_500_000)],
)

#: A dollar for a GB-second, a cent for an invocation.
PRICES = Prices(1.0, 0.01)


def test_a_running_job_counts_up_to_now() -> None:
    job = messages.job("j", INFO, now=1002.0, prices=PRICES)
    assert (job.job_id, job.state, job.tasks_total, job.tasks_run) == ("j", job_pb2.JOB_STATE_RUNNING, 10, 7)
    assert job.executors == 3
    assert (
        messages.job("j", dataclasses.replace(INFO, policy="stateless"), now=0.0, prices=PRICES).policy == "stateless"
    )
    assert job.report == job_pb2.Report(
        wall_seconds=1.5,
        tasks=10,
        tasks_run=7,
        executors=4,
        invocations=5,
        cold_starts=1,
        round_trips=6,
        bytes_read=8,
        bytes_written=9,
        peak_memory=10,
        gb_seconds=3.0,
        cost_usd=3.05,
        slowest=[job_pb2.TaskTime(task=4, key="('x', 4)", seconds=2.5)],
        time=job_pb2.TimeSpent(starting=11.0, running=12.0, reading=13.0, writing=14.0, reporting=15.0, waiting=16.0),
    )
    assert job.submitted_at.ToMilliseconds() == 1_000_500
    assert job.deadline_at.ToSeconds() == 9000
    assert not job.HasField("ended_at")
    assert not job.HasField("error")


def test_an_ended_job_counts_up_to_its_end_and_has_no_executors() -> None:
    job = messages.job("j", dataclasses.replace(INFO, state="done", ended=1004.5), now=2000.0, prices=PRICES)
    assert job.report.wall_seconds == 4.0
    assert job.ended_at.ToMilliseconds() == 1_004_500
    assert job.executors == 0


def test_a_task_that_raised_is_told_in_full() -> None:
    failure = Failure("TaskError", "boom", 3, "('x', 0)", 2, "builtins.ValueError", "Traceback...", b"Ppickle")
    job = messages.job("j", dataclasses.replace(INFO, state="failed", failure=failure), now=2000.0, prices=PRICES)
    assert (job.error.type, job.error.message) == ("TaskError", "boom")
    assert job.error.task == job_pb2.TaskError(
        task=3,
        key="('x', 0)",
        attempt=2,
        type="builtins.ValueError",
        message="boom",
        remote_traceback="Traceback...",
        exception=b"Ppickle",
    )


def test_another_error_names_its_task_if_it_has_one() -> None:
    assert dict(messages.error(Failure("ExecutorLost", "gone", 3)).attributes) == {"task": 3.0}
    assert not messages.error(Failure("DeadlineExceeded", "late")).HasField("attributes")


def added(targets: Targets, marks: list[bytes | None], **room: int) -> list[job_pb2.Result]:
    job = job_pb2.Job(job_id="j")
    messages.add_results(job, targets, marks, **room)
    assert job.job_id == "j"
    return list(job.results)


def test_results_are_marks_in_the_order_asked() -> None:
    results = added(Targets([9, 2]), [b"I5", None])
    assert results == [job_pb2.Result(task=9, mark=b"I5"), job_pb2.Result(task=2)]


def test_json_results_are_values() -> None:
    marks = [json_mark({"a": [1, 2.5, None, True, "x"]}), json_mark(2**53), json_mark([2**53 + 1])]
    results = added(Targets([2, 1, 0], ["c", "b", "a"]), list(marks))
    assert [result.target for result in results] == ["c", "b", "a"]
    assert [json_format.MessageToDict(result.json) for result in results] == [
        {"a": [1.0, 2.5, None, True, "x"]},
        float(2**53),
        ["9007199254740993"],
    ]


def test_a_null_is_a_value_and_not_an_absent_one() -> None:
    (result,) = added(Targets([0], ["a"]), [json_mark(None)])
    assert result.WhichOneof("value") == "json"
    assert result.json.WhichOneof("kind") == "null_value"


def test_marks_beyond_the_room_are_left_for_the_data_service() -> None:
    results = added(Targets([0, 1, 2]), [b"x" * 6, b"y" * 5, b"z" * 4], room=10)
    assert [bytes(result.mark) for result in results] == [b"x" * 6, b"", b"z" * 4]


def test_events_keep_their_sequence_and_time() -> None:
    state = messages.event(Event("1700000000123-4", "state", "failed"))
    assert (state.sequence, state.time.ToMilliseconds()) == ("1700000000123-4", 1_700_000_000_123)
    assert state.state.state == job_pb2.JOB_STATE_FAILED
    retried = messages.event(Event("5-0", "retried", "ValueError: no", task=3, key="('x', 3)", attempt=2))
    assert retried.retried == event_pb2.RetriedError(task=3, key="('x', 3)", attempt=2, message="ValueError: no")
    log = messages.event(Event("5-0", "log", "oops\n", task=3, stream="stderr", key="('x', 3)"))
    assert log.log == event_pb2.LogLines(task=3, key="('x', 3)", stream=event_pb2.LOG_STREAM_STDERR, text="oops\n")
